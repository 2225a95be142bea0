#include "process/answer.h"

#include <algorithm>
#include <nlohmann/json.hpp>

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

}  // namespace

std::optional<ProgramAnswer> answer_of(std::string_view line) {
  const Json json = Json::parse(line, nullptr, false);
  if (!json.is_object()) return std::nullopt;
  const auto id = json.find("id");
  if (id == json.end() || !id->is_number_unsigned()) return std::nullopt;
  auto outcome = outcome_of(json);
  if (!outcome) return std::nullopt;
  return ProgramAnswer{id->get<std::uint64_t>(), *std::move(outcome)};
}

}  // namespace koi::connectors
