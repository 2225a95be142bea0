// What the service pushes to the callback address: reports on messages (SmsReport) and what people
// write back (SmsUp), arrays of JSON. https://help.aliyun.com/document_detail/101867.html
#pragma once

#include <string_view>

#include "base/result.h"
#include "channel/connector.h"

namespace koi::connectors {

// `international`: numbers of mainland China, which come without their country code, get it.
// Error "push" where it is neither.
Result<channel::Received> sms_push(std::string_view body, bool international, Timestamp now);

}  // namespace koi::connectors
