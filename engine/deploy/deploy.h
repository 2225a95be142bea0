// Deploy: brings a data directory from the rules that were live to others, before anything is
// stepped by these. What the old rules have accepted and not yet written back is recovered by them;
// new metrics are built from the journal; every customer's state is carried over. It may be killed
// at any moment: the next call finishes what was begun, whatever rules that one is for.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "deploy/bundles.h"
#include "deploy/carry.h"
#include "deploy/deployment.h"
#include "deploy/walk.h"
#include "durable/crash_watch.h"
#include "durable/deeds.h"
#include "store/journal.h"
#include "store/store.h"

namespace koi::deploy {

enum class Stage : std::uint8_t {
  Tail,     // inputs that the old rules have yet to decide
  Rebuild,  // rows of the journal read for new metrics
  Walk,     // customers carried over
};
std::string_view name_of(Stage stage);

struct Progress {
  Stage stage = Stage::Tail;
  std::uint64_t done = 0;  // of the stage, of all groups together
};

struct Site {
  const store::Directory& directory;
  store::Journal& journal;
  store::Store& store;
  store::Groups groups;
  // Deeds for what rules other than the wanted ones have decided, made with their plan, which
  // outlives them. They are thawed, given what a tail comes to, frozen into its checkpoint, and let
  // go.
  std::function<std::unique_ptr<durable::Deeds>(const plan::Plan&)> deeds;
  std::function<Timestamp()> clock;
  // Told now and then, on any thread, one call at a time. May be empty.
  std::function<void(const Progress&)> progress;
  std::uint64_t budget = std::uint64_t{256} << 20;  // of memory for states, in bytes
  WalkRules walk;
  durable::CrashWatch* watch = nullptr;  // none: what crashes in a tail does so again
  // The groups are worked on at the same time; else one after the other, on the caller's thread, so
  // that what they ask of the disk comes in one order.
  bool at_once = true;
};

// Who deploys, and why, for the history.
struct Said {
  std::string by{}, why{};
};

// What one deploy has done.
struct Report {
  std::optional<Hash128> former;  // none: the directory was new
  Hash128 bundle;
  std::uint64_t tail_inputs = 0;           // that the former rules still decided
  std::vector<std::string> metrics_built;  // by name; "N unnamed" for those without, last
  std::uint64_t rows_read = 0;             // of the journal, for them
  Carried carried;
  std::chrono::milliseconds took{0};
  bool was_broken_off = false;  // an earlier start had begun it
};

// Brings the directory to the wanted bundle, so that durable::Writers::open() with what live()
// gives goes well. Gives what was deployed on the way, in order: nothing where the bundle is live
// already, two where an earlier deploy was broken off and this is for a third. The groups are taken
// over (their epochs move on); nothing else may work on journal and store meanwhile.
//
// Errors: "foreign" where the files do not belong together, "rules" where this version of Koi
// cannot read a bundle, "missing" and "corrupt" of bundles and deployment.json, "semantics"
// (another Koi's tail), "pool" where a coupon of the wanted rules could generate codes that were
// uploaded before, "full", "unwritable", and those of journal and store. After an error, as
// after a kill, what was accepted is whole, and the next call goes on.
//
// With `ways` the deploy is one of its own even where the bundle is live already. Errors "migrate"
// and "stop" where they do not fit: nothing was changed then.
Result<std::vector<Report>> deploy(const Site& site, const Bundle& wanted, const Said& said = {},
                                   const Ways& ways = {});

// What the ways would do to whom, as lines for people: as of the last checkpoint. Changes nothing.
// Errors as deploy()'s.
Result<std::string> preview(const Site& site, const Bundle& wanted, const Ways& ways);

// What decides now: the rules that are live with what is linked to them.
struct Live {
  Turn turn;
  plan::Plan plan;
  std::uint64_t rules = 0;  // what openings name them by
};
// Reads only. Errors: "missing" where nothing was deployed yet, "rules", "corrupt", and those of
// bundles and deployment.json.
Result<Live> live(const store::Directory& directory);

// The report as lines for people, each with its end.
std::string told(const Report& report);

}  // namespace koi::deploy
