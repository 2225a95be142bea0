#include "runtime/tables.h"

#include <algorithm>

#include "base/decimal.h"
#include "base/source.h"

namespace koi::runtime {

namespace {

void pad(std::string& out, std::string_view text, std::size_t width, bool right) {
  const auto cells = static_cast<std::size_t>(display_width(text));
  const std::string blanks(width > cells ? width - cells : 0, ' ');
  out += right ? blanks + std::string(text) : std::string(text) + blanks;
}

}  // namespace

std::string grouped(std::uint64_t n) {
  std::string digits = std::to_string(n);
  for (std::size_t at = digits.size(); at > 3;) digits.insert(at -= 3, ",");
  return digits;
}

std::string table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows)
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (i == widths.size()) widths.push_back(0);
      widths[i] = std::max(widths[i], static_cast<std::size_t>(display_width(row[i])));
    }
  std::string out;
  for (const auto& row : rows) {
    out += "  ";
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (i > 0) out += "  ";
      pad(out, row[i], widths[i], i > 0);
    }
    while (out.ends_with(' ')) out.pop_back();
    out += '\n';
  }
  return out;
}

std::string plain(std::string_view text) {
  std::string out;
  for (const char c : text)
    out.push_back(static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c);
  return out;
}

std::string cost_of(const plan::Plan& plan, plan::ChannelId channel, std::uint64_t messages) {
  const auto millionths = checked_multiply(plan.channels[channel.index()].cost_millionths,
                                           static_cast<std::int64_t>(messages))
                              .value_or(INT64_MAX);
  std::int64_t unit = Decimal::one;
  for (int i = 0; i < plan.schema.currency_decimals; ++i) unit /= 10;
  const auto minor = multiply_divide(millionths, 1, std::max<std::int64_t>(unit, 1));
  return plan.policy.currency_sign +
         scaled_to_string(minor.value_or(0), plan.schema.currency_decimals);
}

}  // namespace koi::runtime
