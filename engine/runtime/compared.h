// Compared: what two programs have decided over the same inputs, read from the lines of effects
// that their runs have written (runtime/effects.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace koi::runtime {

// What one of them has decided.
struct Decided {
  struct Campaign {
    std::uint64_t customers = 0;  // who entered at least once
    std::uint64_t entered = 0, sent = 0, given = 0, goals = 0, refused = 0;
  };
  // By name, as effects have it: of what a referral gives by itself, the referral's.
  std::map<std::string, Campaign> campaigns;
  std::map<std::string, std::uint64_t> refused;  // by reason
  std::map<std::string, std::uint64_t> sent;     // messages by channel
  std::uint64_t reached = 0;                     // customers who were sent a message at least once
  std::uint64_t gifted = 0;                      // and who were given something
  // By the name of what was refused: when it was so first because a budget was used up.
  std::map<std::string, Timestamp> out_since;
  // How many messages a customer is sent in a week of his, from Monday on, in which he is sent any.
  struct Pressure {
    std::uint64_t weeks = 0;  // such weeks of all customers together
    std::uint64_t median = 0, p95 = 0, most = 0;
  } pressure;
};

// What a customer gets is what is done for him and beside him: messages, gifts, attributes, tags,
// events, calls. Not where he stands in a campaign, nor what he is refused.
struct Difference {
  std::string customer;
  std::vector<std::string> live, next;  // lines of effects that only one of the two has
};

struct Comparison {
  Decided live, next;
  // Of the customers who get something from either.
  std::uint64_t same = 0, at_other_times = 0, otherwise = 0;
  std::vector<Difference> examples;  // of the last, the first ones by what they get next
};

// What was decided before `since` is left out. Weeks are those of `zone`. Errors: "unreadable" and
// "line" where a file is none of effects.
Result<Comparison> compare(const std::string& live, const std::string& next, const Zone& zone,
                           Timestamp since, std::size_t examples);

}  // namespace koi::runtime
