#include "aliyun_sms/push.h"

#include <nlohmann/json.hpp>

#include "channel/delivery_json.h"
#include "channel/opt_out.h"

namespace koi::connectors {

using namespace channel;

namespace {

using Json = nlohmann::json;

std::string text_or_number_of(const Json& json, const char* name) {
  const auto found = json.find(name);
  if (found == json.end()) return {};
  if (found->is_string()) return found->get<std::string>();
  return found->is_number_integer() ? std::to_string(found->get<std::int64_t>()) : std::string();
}

// "2017-01-01 00:00:00" of China; else now.
Timestamp time_of(const Json& json, const char* name, Timestamp now) {
  return parse_instant(text_or_number_of(json, name) + "+08:00").value_or(now);
}

std::string person_of(const std::string& number, bool international) {
  if (number.empty() || number.size() > 20 ||
      number.find_first_not_of("0123456789") != std::string::npos)
    return {};
  if (number.size() == 11 && number.starts_with('1')) return (international ? "+86" : "") + number;
  return "+" + number;
}

void take_report(const Json& json, const SentAs& sent_as, Received& into) {
  auto key = key_from_hex(text_or_number_of(json, "out_id"));
  if (!key && sent_as)
    key = sent_as(text_or_number_of(json, "biz_id"), text_or_number_of(json, "phone_number"));
  const auto success = json.find("success");
  if (!key || !success->is_boolean()) return;
  // Carriers' codes differ and are not published: what did not arrive cannot be reached there.
  into.reports.push_back({*key, success->get<bool>() ? Failure::None : Failure::Unreachable});
}

void take_reply(const Json& json, bool international, Timestamp now, Received& into) {
  const std::string person = person_of(text_or_number_of(json, "phone_number"), international);
  const Timestamp time = time_of(json, "send_time", now);
  std::string id = text_or_number_of(json, "sequence_id");
  if (id.empty()) id = std::to_string(time.us / 1'000'000);
  if (person.empty()) return;
  into.events.push_back({"sms:" + id + ":replied", "replied", time, person, {}});
  if (is_opt_out(text_or_number_of(json, "content")))
    into.events.push_back({"sms:" + id + ":unsubscribed", "unsubscribed", time, person, {}});
}

}  // namespace

Result<Received> sms_push(std::string_view body, bool international, Timestamp now,
                          const SentAs& sent_as) {
  const Json json = Json::parse(body, nullptr, false);
  Received received;
  if (!json.is_array()) return Error{"push", "this is no array of reports or replies"};
  for (const Json& each : json) {
    if (!each.is_object()) return Error{"push", "this is no array of reports or replies"};
    if (each.contains("success"))
      take_report(each, sent_as, received);
    else if (each.contains("content"))
      take_reply(each, international, now, received);
    else
      return Error{"push", "this is neither a report nor a reply"};
  }
  return received;
}

}  // namespace koi::connectors
