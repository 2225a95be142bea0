// The body of a request that is one JSON object.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string_view>

#include "base/result.h"

namespace koi::serve {

// Error "body": it is none, or an object in it names a thing twice (JSON leaves open which of them
// counts: RFC 8259, section 4).
Result<nlohmann::json> object_in(std::string_view body);

}  // namespace koi::serve
