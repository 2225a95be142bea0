// What a `call` says of a follower's tags, as JSON: {"openid": "o…", "tag": "vip"}, and {…,
// "remove": true} to take it off.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace koi::connectors {

struct WechatTagging {
  std::string person, tag;
  bool is_off = false;
};
// Errors say what is missing, without what was there.
Result<WechatTagging> read_tagging(std::string_view json);

// The bodies of requests: for a tag, and to put one on a follower.
std::string tag_body(const std::string& tag);
std::string members_body(std::int64_t tag, const std::string& person);

}  // namespace koi::connectors
