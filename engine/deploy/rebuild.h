// Rebuild: what new metrics would have kept had they been there from the beginning. The whole
// journal is decided again beside the deployment, by the rules that decided it then, each extended
// by the metrics that came later; so duplicates, late events and the engine's own events count
// exactly as they did. What was decided stays here.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "core/codec.h"
#include "core/state.h"
#include "deploy/deployment.h"
#include "deploy/walk.h"
#include "durable/deeds.h"
#include "plan/plan.h"
#include "store/directory.h"
#include "store/journal.h"
#include "store/sqlite_store.h"

namespace koi::deploy {

// Who is told what was decided then, of one turn after the other.
class Witness : public durable::Deeds {
 public:
  // What is taken from here on was decided in the turn by that number, under these rules of the
  // history, by which it is to be read.
  virtual void begins(std::size_t turn, const plan::Plan& rules) = 0;
  // A batch of the journal begins.
  virtual void opens(store::Group group, const durable::Opening& opening) = 0;
  std::string freeze(store::Group) override { return {}; }
  Result<void> thaw(store::Group, std::string_view) override { return {}; }
};

struct History {
  const store::Journal& journal;
  store::Groups groups;
  std::span<const Turn> turns;                 // up to the live one
  const std::map<Hash128, plan::Plan>& plans;  // of them all, by name_of(turn)
  bool at_once = true;                         // as Site::at_once
  // None: nobody. With one it all begins anew, whatever an earlier run has left: it is told once.
  Witness* witness = nullptr;
};

class Rebuild {
 public:
  // Reads the journal from its beginning to its end, or goes on where an earlier run for the same
  // turn was broken off. `later` are the rules with the new metrics, and `turn` the number that
  // they will have. `budget` is in bytes of memory. Works in the folder `build` of the directory.
  // Errors: "gap" where the journal's beginning is not kept any more, "corrupt", and those of
  // journal and store.
  static Result<std::unique_ptr<Rebuild>> make(const store::Directory& directory,
                                               const History& history, const plan::Plan& later,
                                               Hash128 later_name, std::uint64_t turn,
                                               std::uint64_t budget,
                                               const std::function<void(std::uint64_t)>& rows_read);
  // Takes the folder away, whether anything was finished or not.
  static Result<void> clear(const store::Directory& directory);

  // The live rules with the new metrics behind their own.
  const plan::Plan& plan() const { return plan_; }
  // Puts the new metrics' slots to a state of the live rules: it is one of plan() then.
  Result<void> complete(core::State& state) const;
  // For tests: the customer's state as the rebuild has it.
  const store::Store& store() const { return *store_; }

 private:
  Rebuild(store::Directory directory, std::unique_ptr<store::SqliteStore> store, plan::Plan plan,
          std::size_t accumulators, std::size_t logs)
      : directory_(std::move(directory)),
        store_(std::move(store)),
        plan_(std::move(plan)),
        codec_(plan_),
        accumulators_(accumulators),
        logs_(logs) {}

  store::Directory directory_;  // of the folder, locked
  std::unique_ptr<store::SqliteStore> store_;
  plan::Plan plan_;
  core::Codec codec_;
  std::size_t accumulators_, logs_;  // of the live rules
};

// Runs `what` for all these groups at the same time (a single one on the caller's thread), or one
// after the other there, up to the first error; gives the first one's error.
Result<void> for_each_group(store::Groups groups, bool at_once,
                            const std::function<Result<void>(store::Group)>& what);
Result<void> for_each_group(const std::vector<store::Group>& groups, bool at_once,
                            const std::function<Result<void>(store::Group)>& what);

}  // namespace koi::deploy
