// What a `call` says of a person's tags, as JSON: {"openid": "o…", "tag": "vip"}, with "staff"
// where it is one member's, and {…, "remove": true} to take it off.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/result.h"
#include "json_text.h"

namespace koi::connectors {

struct Tagging {
  std::string person, tag, staff;
  bool is_off = false;
};

// `person`: the name under which he stands. Errors say what is missing, without what was there.
inline Result<Tagging> read_tagging(std::string_view text, const char* person) {
  const auto json = nlohmann::json::parse(text, nullptr, false);
  Tagging tagging{text_of(json, person), text_of(json, "tag"), text_of(json, "staff")};
  if (tagging.person.empty())
    return Error{"tag", "what is called with has no text `" + std::string(person) + "`"};
  if (tagging.tag.empty() || tagging.tag.size() > 90)
    return Error{"tag", "what is called with has no text `tag` of at most 30 characters"};
  if (const auto off = json.find("remove"); off != json.end()) {
    if (!off->is_boolean()) return Error{"tag", "`remove` must be true or false"};
    tagging.is_off = off->get<bool>();
  }
  return tagging;
}

}  // namespace koi::connectors
