// The bodies of requests about tags: for one that is to be made, and to put one on a follower.
#pragma once

#include <cstdint>
#include <string>

namespace koi::connectors {

std::string tag_body(const std::string& tag);
std::string members_body(std::int64_t tag, const std::string& person);

}  // namespace koi::connectors
