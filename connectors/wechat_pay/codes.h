// What WeChat Pay's answers mean. Of an answer about money that is not known, nothing is concluded:
// it is asked about.
#pragma once

#include <string_view>

#include "channel/connector.h"

namespace koi::connectors {

// err_code of /mmpaymkttransfers/sendredpack (APIv2).
channel::Outcome red_packet_outcome(std::string_view code);
// `status` of /mmpaymkttransfers/gethbinfo; `lapses_after` is when an unopened packet goes back.
channel::Outcome red_packet_state(std::string_view status, Duration lapses_after);

// HTTP status and `code` of APIv3.
channel::Outcome transfer_outcome(int status, std::string_view code);
// `state` and `fail_reason` of a transfer bill; `package` is what the person confirms with.
channel::Outcome transfer_state(std::string_view state, std::string_view reason,
                                std::string_view package);

}  // namespace koi::connectors
