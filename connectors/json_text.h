// A text in a provider's JSON. For the files that include nlohmann's header anyway.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace koi::connectors {

// What stands under that name; empty where it is no text, or the value no object.
inline std::string text_of(const nlohmann::json& json, const char* name) {
  if (!json.is_object()) return {};
  const auto found = json.find(name);
  return found != json.end() && found->is_string() ? found->get<std::string>() : std::string();
}

}  // namespace koi::connectors
