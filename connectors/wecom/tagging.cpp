#include "wecom/tagging.h"

#include <nlohmann/json.hpp>

#include "json_text.h"

namespace koi::connectors {

using Json = nlohmann::json;

std::vector<std::pair<std::string, std::string>> wecom_tags(const Json& answer) {
  std::vector<std::pair<std::string, std::string>> all;
  const auto take_group = [&](const Json& group) {
    if (!group.is_object() || !group.contains("tag") || !group["tag"].is_array()) return;
    for (const Json& tag : group["tag"])
      if (const std::string name = text_of(tag, "name"), id = text_of(tag, "id");
          !name.empty() && !id.empty())
        all.emplace_back(name, id);
  };
  if (!answer.is_object()) return all;
  if (answer.contains("tag_group") && answer["tag_group"].is_array())
    for (const Json& group : answer["tag_group"]) take_group(group);
  else if (answer.contains("tag_group"))
    take_group(answer["tag_group"]);
  return all;
}

}  // namespace koi::connectors
