#include "serve/body.h"

#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include "runtime/named_twice.h"

namespace koi::serve {

using Json = nlohmann::json;

Result<Json> object_in(std::string_view body) {
  runtime::NamedTwice twice;
  Json json = Json::parse(body, std::ref(twice), false);
  if (!json.is_object()) return Error{"body", "the body is a JSON object"};
  if (!twice.names().empty())
    return Error{"body", "`" + twice.names().front().substr(0, 60) +
                             "` is given twice; leave one of them out"};
  return json;
}

}  // namespace koi::serve
