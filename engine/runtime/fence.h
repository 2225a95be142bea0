// Fence: around an environment's connectors, so that nobody is reached but its test recipients.
#pragma once

#include <memory>
#include <set>
#include <string>

#include "channel/connector.h"

namespace koi::runtime {

// Customers' ids, and addresses as `kind:value`.
using TestRecipients = std::set<std::string>;

// Hands on to `connector` what is for one of these; all else is refused as unreachable, and never
// gets to it. What the provider tells by itself is heard as ever.
std::shared_ptr<channel::Connector> fenced(std::shared_ptr<channel::Connector> connector,
                                           TestRecipients recipients);

}  // namespace koi::runtime
