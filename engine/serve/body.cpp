#include "serve/body.h"

#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

namespace koi::serve {

using Json = nlohmann::json;

Result<Json> object_in(std::string_view body) {
  std::vector<std::set<std::string>> names;
  std::string twice;
  const auto watch = [&](int, Json::parse_event_t event, Json& value) {
    if (event == Json::parse_event_t::object_start) names.emplace_back();
    if (event == Json::parse_event_t::object_end) names.pop_back();
    if (event == Json::parse_event_t::key && !names.back().insert(value.get<std::string>()).second)
      twice = value.get<std::string>();
    return true;
  };
  Json json = Json::parse(body, watch, false);
  if (!json.is_object()) return Error{"body", "the body is a JSON object"};
  if (!twice.empty())
    return Error{"body", "`" + twice.substr(0, 60) + "` is given twice; leave one of them out"};
  return json;
}

}  // namespace koi::serve
