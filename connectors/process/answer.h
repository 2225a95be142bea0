// What the program on the other side says, a line at a time.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "channel/connector.h"

namespace koi::connectors {

struct ProgramAnswer {
  std::uint64_t id = 0;  // of the request
  channel::Outcome outcome;
};
// Nothing where the line is no answer.
std::optional<ProgramAnswer> answer_of(std::string_view line);

}  // namespace koi::connectors
