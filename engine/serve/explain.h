// Explain: what was decided about one customer up to an instant, in one campaign or in all, or up
// to one message (or whatever else has a key), and why. His recorded inputs are decided again, by
// the rules that decided them then, so what it says is what happened; conditions are told with the
// values that they had.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "base/time.h"
#include "store/directory.h"
#include "store/groups.h"
#include "store/journal.h"

namespace koi::serve {

struct Question {
  std::string customer;  // the id
  std::string campaign;  // by its name; empty: all of them, and then not why he did not come in
  Timestamp at;
  std::string message{};  // its key, 32 hexadecimal digits; then the campaign is its own
};

// Of memory for everybody's states.
constexpr std::uint64_t usual_room = std::uint64_t{128} << 20;

// JSON; docs/operating.md lists its members. Nothing is written but for reading's sake: no deeds
// leave. Takes as long as it takes to read the journal of the customer's group; where customers
// compete for what the rules give, to decide all of it again: about `room` of everybody's states
// is in memory then, the rest in a folder of the directory that is gone afterwards. One at a time
// over a directory. Errors:
// "customer", "campaign" (no rules of that time have one by the name), "message" (nothing with that
// key was decided about him up to then), "erased" where the journal's beginning is not kept any
// more, and those of journal, bundles and deployment.json.
Result<std::string> explain(const store::Directory& directory, const store::Journal& journal,
                            store::Groups groups, const Question& question,
                            std::uint64_t room = usual_room);

}  // namespace koi::serve
