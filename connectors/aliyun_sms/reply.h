// What the service's answers mean (https://help.aliyun.com/document_detail/101346.html).
#pragma once

#include <string_view>

#include "channel/connector.h"

namespace koi::connectors {

channel::Outcome sms_outcome(int status, std::string_view code);

}  // namespace koi::connectors
