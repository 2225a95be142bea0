// Names that an object of JSON gives twice. JSON leaves open which of them counts (RFC 8259,
// section 4) and the library keeps the last: from outside that is somebody's mistake.
#pragma once

#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

namespace koi::runtime {

// Watches a parse, as its callback (by reference). Keeps everything.
class NamedTwice {
 public:
  using Json = nlohmann::json;
  bool operator()(int /*depth*/, Json::parse_event_t event, Json& value) {
    if (event == Json::parse_event_t::object_start) open_.emplace_back();
    if (event == Json::parse_event_t::object_end) open_.pop_back();
    if (event == Json::parse_event_t::key && !open_.back().insert(value.get<std::string>()).second)
      names_.push_back(value.get<std::string>());
    return true;
  }
  // As they came.
  const std::vector<std::string>& names() const { return names_; }

 private:
  std::vector<std::set<std::string>> open_;  // the objects around, and what each has named
  std::vector<std::string> names_;
};

}  // namespace koi::runtime
