// Deeds: what a group has decided, handed on when it may leave. The outbox stands behind it.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "core/effect.h"
#include "core/escrow.h"
#include "core/state.h"
#include "durable/input.h"
#include "store/groups.h"

namespace koi::durable {

// One effect and where it comes from.
struct Deed {
  store::Position position = 0;  // of the input that caused it; a timer's: of its batch's opening
  Partition partition = 0;
  std::string customer;
  core::Effect effect;
  bool wanted = true;  // a send: false where a later input of its batch has refused such messages
  // Of an input that had to wait between groups: its number (Pause) and since when; 0: it had not.
  std::int64_t waited = 0;
  Timestamp waited_since = Timestamp::ever();
};

// An input of a customer, or his timers, that waits between groups (waiting.h). All of it is valid
// during the call alone.
struct Pause {
  std::string_view customer;
  std::int64_t number = 0;             // its own among all that wait at the same time
  store::Position position = 0;        // where in the journal this was found …
  Timestamp stamp;                     // … and the stamp of the batch there
  Timestamp since;                     // the stamp of the batch that brought it
  const Given* given = nullptr;        // none: his timers up to …
  Timestamp due = Timestamp::never();  // … here
  std::span<const core::Lack> lacks;   // what for; empty: others of his wait before it
};

// Called for a group by whoever steps it, one call at a time; different groups at the same time.
class Deeds {
 public:
  virtual ~Deeds() = default;

  // All that one batch has decided, in order; its inputs are durable. A recovery gives again what
  // was decided behind the last checkpoint: the same effects under the same keys.
  virtual void take(store::Group group, std::vector<Deed> deeds) = 0;

  // Inputs that speak of what was taken, at their place in the journal, live and in a recovery
  // alike: its delivery has had its final receipt, or an attempt at it may have been made. Who
  // keeps no deliveries open need not care.
  virtual void settled(store::Group /*group*/, const ReceiptFor& /*receipt*/) {}
  virtual void attempted(store::Group /*group*/, Hash128 /*key*/) {}
  // The customer has refused messages; his state says which (core::has_refused), and under which
  // ids he was known (core::is_called). Whatever is open under any of them, of whatever group, is
  // withdrawn at once. Of the deeds that take() is still to give, the refused ones of this group
  // say so themselves; a group that may have others is told by a letter, and says it again.
  virtual void refused(store::Group /*group*/, const core::State& /*customer*/) {}

  // At once, not with the batch: it waits from here on, or it has been tried again and waits for
  // something more; and it is decided at last, by the deeds with that number, if there are any.
  // Told again in a recovery. Who tells nobody why need not care.
  virtual void waits(store::Group /*group*/, const Pause& /*pause*/) {}
  virtual void goes_on(store::Group /*group*/, const Pause& /*pause*/) {}

  // What must be known of all deeds taken so far when a recovery begins behind them (those still
  // open): a checkpoint keeps it, and thaw() gets it back before anything is taken again. Bounded
  // and quick: the group waits for it.
  virtual std::string freeze(store::Group group) = 0;
  virtual Result<void> thaw(store::Group group, std::string_view frozen) = 0;
};

// What was decided goes nowhere: it has left long ago, or nobody is to have it.
class Nowhere final : public Deeds {
 public:
  void take(store::Group, std::vector<Deed>) override {}
  std::string freeze(store::Group) override { return {}; }
  Result<void> thaw(store::Group, std::string_view) override { return {}; }
};

}  // namespace koi::durable
