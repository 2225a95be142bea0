#include "serve/pools.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/json.h"
#include "core/accounts.h"
#include "core/books.h"
#include "core/escrow.h"
#include "ledger/codes.h"

namespace koi::serve {

namespace {

constexpr std::string_view before_pool = "/v1/pools/", behind_pool = "/codes";
constexpr std::size_t codes_of_a_row = 1000;  // in one row of the journal

const plan::Coupon* coupon_of(const plan::Plan& plan, std::string_view pool) {
  for (const plan::Incentive& incentive : plan.incentives)
    if (const auto* coupon = std::get_if<plan::Coupon>(&incentive.what))
      if (coupon->pool == pool) return coupon;
  return nullptr;
}

std::string_view trimmed_line(std::string_view line) {
  while (!line.empty() && (line.back() == '\r' || line.back() == ' ' || line.back() == '\t'))
    line.remove_suffix(1);
  while (!line.empty() && (line.front() == ' ' || line.front() == '\t')) line.remove_prefix(1);
  return line;
}

// The code of a line; empty where it has none.
std::string code_in(std::string_view line) {
  if (line.front() != '"' && line.front() != '{') return std::string(line);
  auto json = nlohmann::json::parse(line, nullptr, false);
  if (json.is_object()) json = json.value("code", nlohmann::json());
  return json.is_string() ? json.get<std::string>() : std::string();
}

}  // namespace

bool is_of_pools(std::string_view path) {
  return path.starts_with(before_pool) && path.ends_with(behind_pool) &&
         path.size() > before_pool.size() + behind_pool.size();
}

std::string_view pool_of(std::string_view path) {
  path.remove_prefix(before_pool.size());
  path.remove_suffix(behind_pool.size());
  return path;
}

Result<Upload> read_upload(const plan::Plan& plan, const net::Asked& asked) {
  const std::string_view pool = pool_of(asked.path);
  if (!coupon_of(plan, pool))
    return Error{"pool", "no coupon of the rules takes its codes from a pool of that name"};
  Upload upload;
  core::Call call;
  const auto hand_in = [&] {
    if (call.together.empty()) return;
    upload.codes += call.together.size();
    call.kind = core::Call::Kind::Stock;
    call.id = "codes";  // they tell themselves whether they came before
    call.code = pool;
    upload.calls.emplace_back(std::exchange(call, {}));
  };
  std::uint64_t number = 0;
  for (std::string_view rest = asked.body; !rest.empty();) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = trimmed_line(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    ++number;
    if (line.empty()) continue;
    std::string code = code_in(line);
    if (!ledger::may_be_uploaded(code)) {
      if (upload.unfit++ == 0) upload.first_unfit = number;
      continue;
    }
    if (const plan::Incentive* const maker = core::maker_of(plan.incentives, code)) {
      if (upload.generated++ == 0) {
        upload.first_generated = number;
        upload.generated_by = maker->symbol.name;
      }
      continue;
    }
    call.together.push_back(std::move(code));
    if (call.together.size() == codes_of_a_row) hand_in();
  }
  hand_in();
  if (upload.codes == 0 && upload.generated > 0)
    return Error{"body", "these codes look like those that the coupon `" + upload.generated_by +
                             "` generates, which could come to be the same; have others made, or "
                             "give that coupon a pattern with a beginning of its own"};
  if (upload.codes == 0)
    return Error{
        "body",
        "send a code a line: up to 64 visible characters of ASCII without / ? # % \" \\ < >"};
  return upload;
}

net::Answer upload_answer(const Upload& upload, const std::vector<durable::Answer>& answers,
                          std::uint64_t left) {
  std::int64_t fresh = 0;
  for (const durable::Answer& each : answers)
    if (each.call) fresh += each.call->amount;  // else it was set aside
  net::Answer answer;
  answer.body = R"({"codes":)" + std::to_string(upload.codes) + R"(,"new":)" +
                std::to_string(fresh) + R"(,"left":)" + std::to_string(left) + R"(,"unfit":)" +
                std::to_string(upload.unfit);
  if (upload.unfit > 0)
    answer.body += R"(,"first_unfit_line":)" + std::to_string(upload.first_unfit);
  if (upload.generated > 0) {
    answer.body += R"(,"like_generated":)" + std::to_string(upload.generated) +
                   R"(,"first_like_generated_line":)" + std::to_string(upload.first_generated) +
                   R"(,"generated_by":)";
    append_json_string(answer.body, upload.generated_by);
  }
  answer.body += "}\n";
  return answer;
}

namespace {

// Those that nobody has yet, though they may be on their way from one group to another.
Result<std::uint64_t> left_in(const store::Store& store, store::Groups groups,
                              const std::string& pool) {
  const std::string stocked = core::books::key_of_stocked(pool);
  const auto number = [&](const std::string& key) -> Result<std::uint64_t> {
    KOI_LET(const std::string bytes, store.shared(0, key));
    return core::books::number_of(bytes);
  };
  KOI_LET(const std::uint64_t uploaded, number(stocked));
  std::uint64_t given = 0;
  if (groups.count == 1) {
    KOI_LET(given, number(core::books::key_of_taken(pool)));
  }
  for (store::Group group = 0; group < groups.count && groups.count > 1; ++group) {
    KOI_LET(const std::string bytes, store.shared(group, core::books::key_of_escrow(stocked)));
    KOI_LET(const core::Escrow escrow, core::escrow_of(bytes));
    given += static_cast<std::uint64_t>(std::max<std::int64_t>(0, core::codes_given(escrow)));
  }
  return uploaded - std::min(uploaded, given);
}

}  // namespace

Result<std::vector<PoolStock>> stocks(const store::Store& store, store::Groups groups,
                                      const plan::Plan& plan) {
  std::vector<PoolStock> all;
  for (const plan::Incentive& incentive : plan.incentives) {
    const auto* coupon = std::get_if<plan::Coupon>(&incentive.what);
    if (!coupon || coupon->pool.empty()) continue;
    PoolStock stock{coupon->pool, incentive.symbol.name, 0, 0, 0, coupon->low_at};
    KOI_LET(const std::string bytes, store.shared(0, core::books::key_of_stocked(coupon->pool)));
    KOI_LET(stock.uploaded, core::books::number_of(bytes));
    KOI_LET(stock.left, left_in(store, groups, coupon->pool));
    stock.given = stock.uploaded - std::min(stock.uploaded, stock.left);
    all.push_back(std::move(stock));
  }
  return all;
}

std::string to_json(const std::vector<PoolStock>& stocks) {
  std::string out = "[";
  for (const PoolStock& each : stocks) {
    out += out.size() > 1 ? R"(,{"name":)" : R"({"name":)";
    append_json_string(out, each.pool);
    out += R"(,"incentive":)";
    append_json_string(out, each.incentive);
    out += R"(,"uploaded":)" + std::to_string(each.uploaded) + R"(,"given":)" +
           std::to_string(each.given) + R"(,"left":)" + std::to_string(each.left) +
           R"(,"low_at":)" + std::to_string(each.low_at) + R"(,"is_low":)" +
           (std::cmp_less_equal(each.left, each.low_at) ? "true" : "false") + "}";
  }
  return out + "]";
}

}  // namespace koi::serve
