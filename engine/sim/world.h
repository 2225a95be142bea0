// World: a deployment in a box, for tests. Customers' states, a clock that moves when it is told
// to, and a world outside that takes every delivery at once or fails it as told. No real channel,
// no real time; the decisions are core::decide's. Deterministic: the same calls give the same
// `done`.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "core/accounts.h"
#include "core/decide.h"
#include "core/effect.h"
#include "core/state.h"
#include "match/index.h"
#include "model/event.h"
#include "model/receipt.h"
#include "plan/plan.h"

namespace koi::sim {

// One effect, and what became of it outside.
struct Done {
  std::string customer;
  core::Effect effect;
  Failure failure = Failure::None;  // of a send: why it was not delivered
};

class World {
 public:
  // The plan must outlive the world, and so must its index, where one is given: the same is decided
  // with it and without.
  // With an index, a trace gets the ways that were gone.
  explicit World(const plan::Plan& plan, const match::Index* index = nullptr,
                 core::Trace* trace = nullptr)
      : plan_(plan), accounts_(plan) {
    if (index) waking_.emplace(core::Waking{.index = *index, .trace = trace});
  }

  // The customer, or whom he has turned out to be; made here if he is new. What is changed in the
  // state before `begin` is as if it had always been so.
  core::State& customer(std::string_view id);

  // The id of whoever that customer is by now: his own, or that of whom he has turned out to be.
  std::string_view stays(std::string_view id) const;

  // Sets the clock for the first time. Who was made before exists from this instant on.
  void begin(Timestamp at);
  bool has_begun() const { return clock_ != Timestamp::ever(); }

  // From here on, deliveries on this channel fail so (None: succeed).
  void fail(plan::ChannelId channel, Failure failure);

  // Moves the clock and fires on the way, in order of (due, customer id), every timer due before
  // `to`, and those due at it where `inclusive`. Tiers are refreshed before the timers of an
  // instant. A `to` before the clock moves nothing.
  void run_to(Timestamp to, bool inclusive);

  // Moves the clock to the event's time (which begins it, if nothing has), then the event happens.
  // An event before the clock arrives late: its customer has seen what the clock shows. An
  // identifier in it that is another's may show that the two are one person (core/merge.h).
  core::Standing happen(const Event& event);
  // The same of an event to everyone: who is there sees it, in the order of their ids.
  void happen_to_everyone(const Event& event);

  // Moves the clock to the call's time; then it is answered.
  core::Answer ask(const core::Call& call);

  // What customers share.
  core::Accounts& accounts() { return accounts_; }

  Timestamp clock() const { return clock_; }
  // Everything that was decided, in order of decision.
  const std::vector<Done>& done() const { return done_; }
  const std::map<std::string, core::State, std::less<>>& customers() const { return customers_; }
  // Why the world has stopped, in words: a campaign that answers every failed delivery with another
  // one at the same instant. Nothing is delivered any more then.
  const std::optional<std::string>& fault() const { return fault_; }

 private:
  // The effects of one input: recorded, delivered, and their receipts handed in, until all is
  // quiet.
  void carry_out(core::State& state);
  void refresh(Timestamp at);
  core::State* owner_of(const Identifier& identifier, const core::State& beside);
  void meet(Event& event);
  void carry_out(core::State& state, std::size_t& deliveries);
  template <class Input>
  core::Standing decide(core::State& state, const Input& input) {
    return core::decide(plan_, state, input, effects_, waking_ ? &*waking_ : nullptr, &accounts_);
  }

  const plan::Plan& plan_;
  std::optional<core::Waking> waking_;
  core::Accounts accounts_;
  std::map<std::string, core::State, std::less<>> customers_;
  Timestamp clock_ = Timestamp::ever();
  Timestamp refreshing_ = Timestamp::never();  // when tiers are refreshed next
  std::vector<Failure> failures_;              // by channel
  std::vector<core::Effect> effects_;
  std::vector<Done> done_;
  std::optional<std::string> fault_;
};

}  // namespace koi::sim
