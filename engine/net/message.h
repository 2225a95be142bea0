// What HTTP carries, without opinions: plain requests and answers.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace koi::net {

struct Header {
  std::string name;
  std::string value;
};
using Headers = std::vector<Header>;

// The first value under that name (ASCII letters compare without case), or null.
const std::string* find(const Headers& headers, std::string_view name);

// For a part of an address: all but letters, digits and -._~ as %XX (RFC 3986, 2.3).
std::string percent_encoded(std::string_view text);

}  // namespace koi::net
