#include "channel/delivery_json.h"

#include "base/json.h"

namespace koi::channel {

void append_field(std::string& out, std::string_view name, std::string_view text) {
  out += out.back() == '{' ? "" : ",";
  append_json_string(out, name);
  out += ':';
  append_json_string(out, text);
}

void append_values(std::string& out, const Delivery& delivery) {
  out += '{';
  for (const auto& [name, value] : delivery.values) append_field(out, name, value);
  out += '}';
}

void append_delivery(std::string& out, const Delivery& delivery) {
  out += '{';
  append_field(out, "key", to_hex(delivery.key));
  append_field(out, "channel", delivery.channel);
  append_field(out, "campaign", delivery.campaign);
  append_field(out, "content", delivery.content);
  append_field(out, "customer", delivery.customer);
  out += R"(,"to":{)";
  for (const Address& address : delivery.addresses) append_field(out, address.kind, address.value);
  out += '}';
  if (!delivery.title.empty()) append_field(out, "title", delivery.title);
  if (!delivery.body.empty()) append_field(out, "body", delivery.body);
  if (!delivery.link.empty()) append_field(out, "link", delivery.link);
  if (!delivery.provider_template.empty()) {
    append_field(out, "template", delivery.provider_template);
    out += R"(,"values":)";
    append_values(out, delivery);
  }
  if (!delivery.reply_to.empty()) append_field(out, "reply_to", delivery.reply_to);
  if (delivery.payout) {
    out += R"(,"payout":{"amount":)" + std::to_string(delivery.payout->amount);
    append_field(out, "currency", delivery.payout->currency);
    if (!delivery.payout->remark.empty()) append_field(out, "remark", delivery.payout->remark);
    out += '}';
  }
  if (delivery.not_after != Timestamp::never())
    append_field(out, "not_after", to_string(delivery.not_after, utc()));
  out += '}';
}

std::optional<Hash128> key_from_hex(std::string_view text) {
  if (text.size() != 32) return std::nullopt;
  std::uint64_t halves[2] = {};
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const int digit = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                             : -1;
    if (digit < 0) return std::nullopt;
    halves[i / 16] = halves[i / 16] << 4 | static_cast<std::uint64_t>(digit);
  }
  return Hash128{halves[0], halves[1]};
}

}  // namespace koi::channel
