#include "process/answer.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "channel/delivery_json.h"

namespace koi::connectors {

using namespace channel;

namespace {

using Json = nlohmann::json;

// Nothing: it is there and is not of that type.
std::optional<std::string> text_of(const Json& json, const char* name) {
  const auto found = json.find(name);
  if (found == json.end()) return std::string();
  if (!found->is_string()) return std::nullopt;
  std::string text = found->get<std::string>().substr(0, 200);
  for (char& c : text)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  return text;
}

Duration bounded_ms(const Json& number) {
  constexpr std::uint64_t most_ms = std::uint64_t{366} * 86'400'000;
  return microseconds(static_cast<std::int64_t>(std::min(number.get<std::uint64_t>(), most_ms)) *
                      1000);
}

std::optional<Outcome> outcome_of(const Json& json) {
  const auto outcome = text_of(json, "outcome");
  auto why = text_of(json, "why");
  if (!outcome || !why) return std::nullopt;
  if (*outcome == "done") return Done{};
  if (*outcome == "unknown") return Unknown{*std::move(why)};
  if (*outcome == "refused") {
    const auto name = text_of(json, "failure");
    const Failure failure = name ? failure_of(*name) : Failure::None;
    if (failure == Failure::None || failure == Failure::Failed) return std::nullopt;
    return Refused{failure, *std::move(why)};
  }
  if (*outcome == "deferred") {
    Deferred deferred{.why = *std::move(why)};
    if (const auto wait = json.find("wait_ms"); wait != json.end()) {
      if (!wait->is_number_unsigned()) return std::nullopt;
      deferred.wait = bounded_ms(*wait);
    }
    for (const auto& [name, flag] : {std::pair("throttled", &deferred.throttled),
                                     std::pair("of_person", &deferred.of_person)}) {
      const auto said = json.find(name);
      if (said == json.end()) continue;
      if (!said->is_boolean()) return std::nullopt;
      *flag = said->get<bool>();
    }
    return deferred;
  }
  if (*outcome == "pending") {
    const auto within = json.find("within_ms");
    if (within == json.end() || !within->is_number_unsigned()) return std::nullopt;
    Pending pending{.within = bounded_ms(*within), .why = *std::move(why)};
    if (const auto again = json.find("ask_again_ms"); again != json.end()) {
      if (!again->is_number_unsigned()) return std::nullopt;
      pending.ask_again = bounded_ms(*again);
    }
    return pending;
  }
  return std::nullopt;
}

// --- What was told ------------------------------------------------------------------------------

constexpr std::size_t longest_name = 256, most_told = 10'000;

// A text of one line that stands under that name.
std::optional<std::string> name_under(const Json& json, const char* name) {
  const auto found = json.find(name);
  if (found == json.end() || !found->is_string()) return std::nullopt;
  const auto& text = found->get_ref<const std::string&>();
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  if (text.empty() || text.size() > longest_name ||
      std::any_of(text.begin(), text.end(), is_control))
    return std::nullopt;
  return text;
}

std::optional<Told> event_of(const Json& json, Timestamp now) {
  if (!json.is_object()) return std::nullopt;
  const auto id = name_under(json, "id"), type = name_under(json, "type"),
             person = name_under(json, "person");
  if (!id || !type || !person) return std::nullopt;
  Told told{*id, *type, now, *person, {}};
  if (json.contains("time")) {
    const auto text = name_under(json, "time");
    const auto time = text ? parse_instant(*text) : std::nullopt;
    if (!time) return std::nullopt;
    told.time = *time;
  }
  if (const auto data = json.find("data"); data != json.end()) {
    if (!data->is_object()) return std::nullopt;
    for (const auto& [name, value] : data->items()) {
      if (!value.is_string()) return std::nullopt;
      told.fields.emplace_back(name, value.get<std::string>());
    }
  }
  return told;
}

std::optional<Report> report_of(const Json& json) {
  if (!json.is_object()) return std::nullopt;
  const auto text = name_under(json, "key");
  const auto key = text ? key_from_hex(*text) : std::nullopt;
  if (!key) return std::nullopt;
  Report report{*key, Failure::None};
  if (json.contains("failure")) {
    const auto name = name_under(json, "failure");
    report.failure = name ? failure_of(*name) : Failure::None;
    // What holds a channel is said of a delivery that is tried, not of one that the provider had.
    if (report.failure == Failure::None || report.failure == Failure::Credentials ||
        report.failure == Failure::Quota)
      return std::nullopt;
  }
  return report;
}

bool read_answer(const Json& json, net::Answer& into) {
  if (!json.is_object()) return false;
  if (const auto status = json.find("status"); status != json.end()) {
    if (!status->is_number_integer()) return false;
    const auto number = status->get<std::int64_t>();
    if (number < 200 || number > 599) return false;
    into.status = static_cast<int>(number);
  }
  if (const auto body = json.find("body"); body != json.end()) {
    if (!body->is_string()) return false;
    into.body = body->get<std::string>();
  }
  if (json.contains("content_type")) {
    const auto type = name_under(json, "content_type");
    if (!type) return false;
    into.content_type = *type;
  }
  return true;
}

std::optional<Received> received_of(const Json& json, Timestamp now) {
  Received received = answered(200, "");
  if (const auto answer = json.find("answer");
      answer != json.end() && !read_answer(*answer, received.answer))
    return std::nullopt;
  for (const char* const name : {"events", "reports"}) {
    const auto list = json.find(name);
    if (list == json.end()) continue;
    if (!list->is_array() || list->size() > most_told) return std::nullopt;
    for (const Json& each : *list) {
      if (*name == 'e') {
        auto event = event_of(each, now);
        if (!event) return std::nullopt;
        received.events.push_back(*std::move(event));
      } else {
        const auto report = report_of(each);
        if (!report) return std::nullopt;
        received.reports.push_back(*report);
      }
    }
  }
  return received;
}

}  // namespace

std::optional<ProgramAnswer> answer_of(std::string_view line, Timestamp now) {
  const Json json = Json::parse(line, nullptr, false);
  if (!json.is_object()) return std::nullopt;
  const auto id = json.find("id");
  if (id == json.end() || !id->is_number_unsigned()) return std::nullopt;
  const auto number = id->get<std::uint64_t>();
  if (json.contains("outcome")) {
    auto outcome = outcome_of(json);
    if (!outcome) return std::nullopt;
    return ProgramAnswer{number, *std::move(outcome)};
  }
  if (!json.contains("answer") && !json.contains("events") && !json.contains("reports"))
    return std::nullopt;
  auto received = received_of(json, now);
  if (!received) return std::nullopt;
  return ProgramAnswer{number, *std::move(received)};
}

}  // namespace koi::connectors
