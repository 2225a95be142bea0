// What a receiver tells back: events of people and reports on deliveries, as JSON.
#pragma once

#include <string_view>

#include "base/result.h"
#include "channel/connector.h"

namespace koi::connectors {

// {"events": [{"id", "type", "time", "person", "fields": {…}}], "reports": [{"key", "failure"}]},
// each optional. Error "told" with the remedy.
Result<channel::Received> webhook_told(std::string_view body);

}  // namespace koi::connectors
