// The one door of the core: decide(plan, state, input) changes the state and appends effects.
// Pure: no clock, randomness, thread or I/O; equal arguments give equal bytes. One state belongs to
// one thread at a time; plans are shared. docs/language.md section 5 is what it promises.
#pragma once

#include <optional>
#include <variant>
#include <vector>

#include "core/accounts.h"
#include "core/call.h"
#include "core/effect.h"
#include "core/readings.h"
#include "core/state.h"
#include "core/trace.h"
#include "match/index.h"
#include "model/event.h"
#include "model/receipt.h"
#include "plan/plan.h"

namespace koi::core {

// The clock has come to `to`: every timer due before it fires, and those due at it too where
// `inclusive` (an instant's events come before its deadlines, so a world is inclusive only when no
// event of that instant can come any more).
struct Tick {
  Timestamp to;
  bool inclusive = false;
};

using Input = std::variant<Event, Tick, Receipt, Message, Call>;

// What became of an input.
enum class Standing : std::uint8_t {
  Applied,
  Late,       // older than what the customer has seen, within `lateness`: applied as rule 2 says
  TooLate,    // older than that: nothing was changed
  Duplicate,  // the id was seen before: nothing was changed
};

// The plan's index, which finds what an input concerns without asking every campaign, and the room
// that one thread needs to use it. The same is decided with it and without; with it an instant that
// is only a lower bound (core/evaluate.h, next_flip) may be an earlier one.
struct Waking {
  const match::Index& index;
  match::Scratch scratch{};
  Trace* trace = nullptr;    // where somebody wants to know which ways are gone
  match::Changes changed{};  // since the customer's timers were last found
  match::Changes fresh{};    // of these, since his watches were last asked
  std::vector<plan::WatchId> to_ask{};
  // Watches that may hold, or flip by themselves, for somebody of whom nothing is known.
  std::optional<std::vector<plan::WatchId>> of_strangers{};
  Readings readings{};
};

// Effects are appended in order of decision. Timers due before the input's time fire first. A plan
// with incentives needs accounts; messages that it leaves there are handed on right after.
Standing decide(const plan::Plan& plan, State& state, const Event& event,
                std::vector<Effect>& effects, Waking* waking = nullptr,
                Accounts* accounts = nullptr);
Standing decide(const plan::Plan& plan, State& state, const Tick& tick,
                std::vector<Effect>& effects, Waking* waking = nullptr,
                Accounts* accounts = nullptr);
Standing decide(const plan::Plan& plan, State& state, const Receipt& receipt,
                std::vector<Effect>& effects, Waking* waking = nullptr,
                Accounts* accounts = nullptr);
Standing decide(const plan::Plan& plan, State& state, const Message& message,
                std::vector<Effect>& effects, Waking* waking = nullptr,
                Accounts* accounts = nullptr);
// The answer is the accounts' (take_answer). A call that was answered before is a duplicate; one
// that only validates is none of these.
Standing decide(const plan::Plan& plan, State& state, const Call& call,
                std::vector<Effect>& effects, Waking* waking = nullptr,
                Accounts* accounts = nullptr);
Standing decide(const plan::Plan& plan, State& state, const Input& input,
                std::vector<Effect>& effects, Waking* waking = nullptr,
                Accounts* accounts = nullptr);

// For an event that crashes the core: its id is remembered, and a refusal in it counts; nothing
// else of it does. Conditions that read consents learn of the refusal with the next word on
// consents.
void pass_over(const plan::Plan& plan, State& state, const Event& event);

// When the customer's next timer is due; never where there is none. Cheap.
Timestamp next_due(const State& state);

}  // namespace koi::core
