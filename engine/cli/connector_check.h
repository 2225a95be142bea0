// The checks of a program that is a connector (connectors/process): what can be seen of it from
// outside, by handing messages over.
#pragma once

#include <string>
#include <vector>

#include "channel/connector.h"
#include "model/delivery.h"

namespace koi::cli {

struct Check {
  std::string promise;  // "a message is taken"
  std::string wrong;    // what was seen instead; empty: it holds
};

// Runs `command` with /bin/sh several times and hands over some eighty messages for `person`. Stops
// at the first check that the others need. `receives`: it is also asked for what callbacks tell.
std::vector<Check> check_program(const std::string& command, const Address& person, bool receives);

}  // namespace koi::cli
