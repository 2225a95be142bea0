// Tags of the enterprise, as the platform lists them.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <utility>
#include <vector>

namespace koi::connectors {

// The tags in an answer, by name with their ids: of the enterprise, or those just made.
std::vector<std::pair<std::string, std::string>> wecom_tags(const nlohmann::json& answer);

}  // namespace koi::connectors
