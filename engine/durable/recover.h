// Recover: a group as it was, from its last checkpoint and the inputs behind it, through the same
// core. Nothing leaves while it lasts but what goes to the deeds, under the keys it had.
#pragma once

#include <cstdint>
#include <optional>

#include "base/result.h"
#include "durable/checkpoint.h"
#include "durable/crash_watch.h"
#include "durable/writer.h"
#include "store/journal.h"
#include "store/store.h"

namespace koi::durable {

struct Recovered {
  store::Position from = 0;       // of the last checkpoint
  store::Position to = 0;         // the journal's end
  std::uint64_t inputs = 0;       // that were stepped again, openings not counted
  std::uint64_t checkpoints = 0;  // written on the way, so that memory stays within its budget
  std::optional<store::SetAside> set_aside;  // by this start, for it had crashed the two before
};

// What has crashed the group's last two lives is set aside now, for good; before its recovery. A
// start that is cut short in between does it once more. `watch` may be null: nothing is.
Result<std::optional<store::SetAside>> set_aside_suspect(CrashWatch* watch, store::Journal& journal,
                                                         store::Group group, store::Epoch epoch);

// `writer` must be new. `rules` names the program. Errors:
//   "foreign"    the checkpoint is not of this journal
//   "semantics"  a binary with other semantics has decided the inputs behind the checkpoint
//   "rules"      another program has decided them: it must recover and stop first
//   "corrupt"    the journal or a state is damaged
// and those of journal and store.
Result<Recovered> recover(Writer& writer, const plan::Plan& plan, std::uint64_t rules,
                          const store::Journal& journal, store::Store& store, store::Group group,
                          store::Epoch epoch, Deeds& deeds);

}  // namespace koi::durable
