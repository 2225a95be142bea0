// What the service pushes to the callback address: reports on messages (SmsReport) and what people
// write back (SmsUp), arrays of JSON. https://help.aliyun.com/document_detail/101867.html
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "channel/connector.h"

namespace koi::connectors {

// `international`: numbers of mainland China, which come without their country code, get it.
// `sent_as`: the delivery that went to that number in a request of that number (`biz_id`), for
// reports that name no delivery. Error "push" where it is neither.
using SentAs =
    std::function<std::optional<Hash128>(const std::string& request, const std::string& number)>;
Result<channel::Received> sms_push(std::string_view body, bool international, Timestamp now,
                                   const SentAs& sent_as = {});

}  // namespace koi::connectors
