// What WeCom's error codes mean.
// https://developer.work.weixin.qq.com/document/path/90313
#pragma once

#include <cstdint>

#include "channel/connector.h"

namespace koi::connectors {

// The token was not taken: another one may be.
bool is_of_wecom_token(std::int64_t code);
bool is_of_wecom_tag(std::int64_t code);  // it is not there, or is there already
// Of a message or a task that was handed over.
channel::Outcome wecom_outcome(std::int64_t code);
// Of one customer in a group-send task: nothing while the member of staff has not sent it.
std::optional<Failure> wecom_fate(std::int64_t status);

}  // namespace koi::connectors
