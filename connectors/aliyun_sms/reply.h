// What the service's answers mean (https://help.aliyun.com/document_detail/101346.html), and how
// many messages a text is.
#pragma once

#include <string_view>

#include "channel/connector.h"

namespace koi::connectors {

channel::Outcome sms_outcome(int status, std::string_view code);

// Messages that a text is charged as: up to 70 UTF-16 units are one, then 67 each. `text` is with
// its signature.
std::size_t sms_segments(std::string_view text);

}  // namespace koi::connectors
