// Merge: two customers turn out to be one person. An event says so by an identifier that is
// another's (Event::met). Whoever calls decide brings the two together before the event is decided,
// at its instant:
//   bond_of()      are they one, and who of them stays?
//   decide(Tick)   for the one who goes, up to that instant
//   take_out()     all that he is; what is left behind leads on to the one who stays, for good
//   merge()        a turn of the one who stays
// and what comes for the one who has gone (gone_to(), state.h) is for the one who stays. It always
// leads to somebody who was seen earlier, so that following it comes to an end.
#pragma once

#include <string>
#include <vector>

#include "core/accounts.h"
#include "core/decide.h"

namespace koi::core {

// What is asked of a customer before it is said that he is another.
struct Face {
  std::string id;
  Timestamp created = Timestamp::never();
  List<Identifier> identifiers;    // ascending
  std::vector<std::string> names;  // ids under which the source of events knows him; ascending
  friend bool operator==(const Face&, const Face&) = default;
};
Face face_of(const plan::Plan& plan, const State& state);
// And as the event at hand says, which is his.
Face face_of(const plan::Plan& plan, const State& state, const Event& event);

enum class Bond : std::uint8_t { TwoPeople, FirstStays, SecondStays };
// They are two people where both have an id of the source's own, or identifiers of a kind that is
// surer than `link`, and none of them in common; `identify by` names the surest kind first. Else
// they are one, and whoever was seen first stays, of two at one instant the one with the lesser id.
Bond bond_of(const Face& first, const Face& second, IdentifierId link);

// Does an event say anything of that customer's: has he neither seen it, nor is it too late?
bool says_something(const plan::Plan& plan, const State& state, const Event& event);

// The instant at which the two become one, because of something that happened at `at`.
Timestamp instant_of_merge(const State& first, const State& second, Timestamp at);

// Whether two who have turned out to be one person had any id of this one's.
bool is_called(const State& state, std::string_view id);

// Everything of him; the state becomes that of one who has gone to `stays`.
State take_out(const plan::Plan& plan, State& state, const std::string& stays);

// From `at` on it is as if there had always been `state` alone. Effects are appended as by decide.
void merge(const plan::Plan& plan, State& state, State other, Timestamp at,
           std::vector<Effect>& effects, Waking* waking = nullptr, Accounts* accounts = nullptr);
// Where that must not be tried again: he counts as the same person, and what either has refused is
// refused; all else of `other` is lost.
void pass_over_merge(State& state, const State& other);

// --- Of different groups
//
// What he holds of what customers share goes with him: the accounts of the one group know it no
// more, those of the other one from then on. The same `at` on either side.

// Behind take_out(), between two turns: `gone` goes to `stays`, of group `to`. Codes of his lead
// there, and are given back; nobody looks at his friends here any more.
std::vector<CodePlace> leave_group(const plan::Plan& plan, const State& gone, Accounts& accounts,
                                   std::uint16_t to, const std::string& stays, Timestamp at);
// Before merge(), in its turn: `came` comes from group `from`, with the codes that were given back.
void enter_group(const plan::Plan& plan, const State& came, Accounts& accounts, std::uint16_t from,
                 const std::vector<CodePlace>& codes, const std::string& stays, Timestamp at);

}  // namespace koi::core
