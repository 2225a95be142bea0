// What a `call` says of a customer's tags, as JSON: {"external_userid": "wm…", "tag": "vip"}, with
// "staff" where it is one member's, and {…, "remove": true} to take it off.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace koi::connectors {

struct WecomTagging {
  std::string person, tag, staff;
  bool is_off = false;
};
// Errors say what is missing, without what was there.
Result<WecomTagging> read_wecom_tagging(std::string_view json);

// The tags in an answer, by name with their ids: of the enterprise, or those just made.
std::vector<std::pair<std::string, std::string>> wecom_tags(const nlohmann::json& answer);

}  // namespace koi::connectors
