#include "net/message.h"

#include <algorithm>

namespace koi::net {

namespace {
char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
}  // namespace

const std::string* find(const Headers& headers, std::string_view name) {
  for (const Header& header : headers)
    if (std::ranges::equal(header.name, name, {}, lower, lower)) return &header.value;
  return nullptr;
}

}  // namespace koi::net
