#include "webhook/told.h"

#include <nlohmann/json.hpp>

#include "channel/delivery_json.h"
#include "json_text.h"

namespace koi::connectors {

using namespace channel;

namespace {

using Json = nlohmann::json;

Result<Told> event_of(const Json& json) {
  if (!json.is_object()) return Error{"told", "each of `events` must be an object"};
  Told told{text_of(json, "id"), text_of(json, "type"), {}, text_of(json, "person"), {}};
  const auto time = parse_instant(text_of(json, "time"));
  if (told.id.empty() || told.type.empty() || told.person.empty() || !time)
    return Error{"told", "an event needs `id`, `type`, `time` (RFC 3339) and `person`, all texts"};
  told.time = *time;
  if (const auto fields = json.find("fields"); fields != json.end()) {
    if (!fields->is_object()) return Error{"told", "`fields` must be an object of texts"};
    for (const auto& [name, value] : fields->items()) {
      if (!value.is_string()) return Error{"told", "`fields` must be an object of texts"};
      told.fields.emplace_back(name, value.get<std::string>());
    }
  }
  return told;
}

Result<Report> report_of(const Json& json) {
  if (!json.is_object()) return Error{"told", "each of `reports` must be an object"};
  const auto key = key_from_hex(text_of(json, "key"));
  if (!key) return Error{"told", "a report needs the `key` of its delivery"};
  Report report{*key, Failure::None};
  if (json.contains("failure")) {
    report.failure = failure_of(text_of(json, "failure"));
    if (report.failure == Failure::None)
      return Error{"told",
                   "`failure` must be unreachable, window_closed, bad_content, failed or "
                   "lapsed; none: it was delivered"};
  }
  return report;
}

// Adds what `read` makes of each of the list of that name; an error where one is none.
template <class Item, class Read>
Result<void> take(const Json& json, const char* name, Read read, std::vector<Item>& into) {
  const auto list = json.find(name);
  if (list == json.end()) return {};
  if (!list->is_array() || list->size() > 1000)
    return Error{"told", "`" + std::string(name) + "` must be a list of at most 1,000"};
  for (const Json& each : *list) {
    KOI_LET(Item item, read(each));
    into.push_back(std::move(item));
  }
  return {};
}

}  // namespace

Result<Received> webhook_told(std::string_view body) {
  const Json json = Json::parse(body, nullptr, false);
  if (!json.is_object())
    return Error{"told", R"(must be an object: {"events": […], "reports": […]})"};
  Received received;
  KOI_TRY(take(json, "events", event_of, received.events));
  KOI_TRY(take(json, "reports", report_of, received.reports));
  return received;
}

}  // namespace koi::connectors
