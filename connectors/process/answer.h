// What the program on the other side says, a line at a time.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>

#include "channel/connector.h"

namespace koi::connectors {

// To `deliver` and `ask` an outcome, to `receive` and `look` what somebody told.
using ProgramSaid = std::variant<channel::Outcome, channel::Received>;

struct ProgramAnswer {
  std::uint64_t id = 0;  // of the request
  ProgramSaid said;
};
// Nothing where the line is no answer. An event without a time happened `now`.
std::optional<ProgramAnswer> answer_of(std::string_view line, Timestamp now);

}  // namespace koi::connectors
