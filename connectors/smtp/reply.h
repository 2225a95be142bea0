// What an SMTP server's answer means (RFC 5321, 4.2; enhanced codes of RFC 3463 and the IANA
// registry "SMTP Enhanced Status Codes").
#pragma once

#include <cstdint>

#include "channel/connector.h"
#include "net/mail.h"

namespace koi::connectors {

// `attempt` counts from 1: a mailbox that is full for a fifth time is given up on.
channel::Outcome outcome_of(const net::MailAnswer& answer, std::uint32_t attempt);

}  // namespace koi::connectors
