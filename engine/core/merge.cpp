// What becomes of one person's two histories: profile, metrics, journeys. What either was given,
// and whom he knows, is in merge_holdings.cpp.
#include "core/merge.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "core/detail/order.h"
#include "core/detail/turn.h"
#include "core/gate.h"
#include "core/metrics.h"

namespace koi::core {

using plan::CampaignClass;

// --- Who is who ----------------------------------------------------------------------------------

namespace {

// An id that Koi has made itself, of the identifier by which somebody was first known.
bool is_made_here(const plan::Plan& plan, std::string_view id) {
  const std::size_t colon = id.find(':');
  return colon != std::string_view::npos &&
         !plan.schema.find_identifier(id.substr(0, colon)).is_none();
}

template <class Range>
bool have_common(const Range& a, const Range& b) {
  for (auto left = a.begin(), right = b.begin(); left != a.end() && right != b.end();) {
    if (*left == *right) return true;
    if (*left < *right)
      ++left;
    else
      ++right;
  }
  return false;
}

std::vector<Identifier> of_kind(const Face& face, IdentifierId kind) {
  std::vector<Identifier> found;
  std::copy_if(face.identifiers.begin(), face.identifiers.end(), std::back_inserter(found),
               [&](const Identifier& each) { return each.kind == kind; });
  return found;
}

// Both have such, and none in common.
template <class Range>
bool tell_apart(const Range& a, const Range& b) {
  return !a.empty() && !b.empty() && !have_common(a, b);
}

}  // namespace

Face face_of(const plan::Plan& plan, const State& state) {
  Face face{state.id, state.created, state.identifiers, {}};
  if (state.is_label) return face;
  const auto name = [&](const std::string& id) {
    if (!is_made_here(plan, id)) face.names.push_back(id);
  };
  name(state.id);
  std::for_each(state.same.begin(), state.same.end(), name);
  std::sort(face.names.begin(), face.names.end());
  return face;
}

Face face_of(const plan::Plan& plan, const State& state, const Event& event) {
  Face face = face_of(plan, state);
  for (const Identifier& each : event.identifiers) face.identifiers.push_back(each);
  std::sort(face.identifiers.begin(), face.identifiers.end());
  return face;
}

Bond bond_of(const Face& first, const Face& second, IdentifierId link) {
  bool are_two = tell_apart(first.names, second.names);
  for (std::size_t kind = 0; kind < link.index() && !are_two; ++kind) {
    const auto id = IdentifierId::of(kind);
    are_two = tell_apart(of_kind(first, id), of_kind(second, id));
  }
  if (are_two) return Bond::TwoPeople;
  return std::tie(first.created, first.id) < std::tie(second.created, second.id)
             ? Bond::FirstStays
             : Bond::SecondStays;
}

bool says_something(const plan::Plan& plan, const State& state, const Event& event) {
  return !state.seen.contains(event.id_hash()) &&
         (event.time >= state.clock || state.clock - event.time <= plan.policy.lateness);
}

Timestamp instant_of_merge(const State& first, const State& second, Timestamp at) {
  return std::max({at, first.clock, second.clock});
}

bool is_called(const State& state, std::string_view id) {
  return state.id == id || std::find(state.same.begin(), state.same.end(), id) != state.same.end();
}

State take_out(const plan::Plan& plan, State& state, const std::string& stays) {
  KOI_ASSERT(!state.is_gone && state.id != stays);
  State left = new_customer(plan, state.id);
  left.clock = state.clock;
  left.is_gone = true;
  left.same.push_back(stays);
  return std::exchange(state, std::move(left));
}

void merge(const plan::Plan& plan, State& state, State other, Timestamp at,
           std::vector<Effect>& effects, Waking* waking, Accounts* accounts) {
  Turn(plan, state, effects, waking, accounts).take(std::move(other), at);
}

// --- The turn ------------------------------------------------------------------------------------

void Turn::take(State other, Timestamp at) {
  KOI_ASSERT(!state_.is_gone && !other.is_gone && state_.id != other.id);
  advance(at, false);
  now_ = instant_of_merge(state_, other, at);
  state_.clock = now_;
  let_in_.clear();
  const Hash128 cause =
      HashInput().text("merge").text(state_.id).text(other.id).hash128(plan_.seed);
  input_ = {nullptr, cause};
  Effect& told = effects_.emplace_back();
  told.time = now_;
  told.action = Action::Merge;
  told.entry = told.key = cause;
  told.value = Value::text(other.id);

  const Timestamp known_since = state_.created;
  const bool is_new = known_since == Timestamp::never();
  state_.created = std::min(known_since, other.created);
  if (is_new && state_.created != Timestamp::never() && accounts_) accounts_->introduce(state_.id);
  state_.begun = state_.begun || other.begun;
  state_.same.push_back(other.id);
  // Copied: his codes under each of these names are still to be found (join_holdings).
  for (const std::string& each : other.same) state_.same.push_back(each);
  join_profile(other);
  join_metrics(other);
  join_watches(other);
  join_journeys(other);
  join_holdings(other, known_since);

  // Everything that may be otherwise now is asked: what becomes true or false does so here.
  std::vector<plan::WatchId> todo;
  all_watches(todo);
  for (const auto& [watched, slot] : state_.watches) todo.push_back(plan::WatchId::of(slot));
  std::sort(todo.begin(), todo.end());
  todo.erase(std::unique(todo.begin(), todo.end()), todo.end());
  if (state_.begun) update_watches(todo, {nullptr, cause});
  for (Journey& journey : state_.journeys)
    if (journey.phase != Journey::Phase::Ended) journey.leave_flip = Timestamp::ever();
  was_settled_ = false;
  if (state_.created == Timestamp::never()) return;
  leave_by_conditions();
  admit(nullptr);
  happen_echoes();
  settle();
}

// --- Profile -------------------------------------------------------------------------------------

namespace {

// Puts what `from` has into `into`, both ascending; what both have stays as it is.
template <class Items>
void unite(Items& into, const Items& from) {
  Items all;
  std::set_union(into.begin(), into.end(), from.begin(), from.end(), std::back_inserter(all));
  into = std::move(all);
}

Value with_tags(const Value& mine, const Value& others) {
  std::vector<Value> all;
  for (const Value* const list : {&mine, &others})
    if (!list->is_missing())
      for (const Value& tag : list->as_list())
        if (std::find(all.begin(), all.end(), tag) == all.end()) all.push_back(tag);
  return all.empty() ? Value() : Value::list(std::move(all));
}

// A refusal by either holds, for as long as that one's own would.
List<Consent> consents_of(const State& a, const State& b) {
  const auto before = [](const Consent& x, const Consent& y) {
    return std::pair(x.purpose, x.channel) < std::pair(y.purpose, y.channel);
  };
  std::vector<Consent> said(a.consents.begin(), a.consents.end());
  said.insert(said.end(), b.consents.begin(), b.consents.end());
  std::stable_sort(said.begin(), said.end(), before);
  List<Consent> both;
  for (std::size_t i = 0; i < said.size();) {
    Consent one = said[i];
    for (++i; i < said.size() && !before(one, said[i]); ++i) {
      const Consent& other = said[i];
      if (one.granted == other.granted)
        one.at = std::max(one.at, other.at);
      else if (one.granted)
        one = other;
    }
    const bool is_taken_back = one.granted && (has_refused(a, one.purpose, one.channel) ||
                                               has_refused(b, one.purpose, one.channel));
    if (!is_taken_back) both.push_back(one);
  }
  return both;
}

}  // namespace

void pass_over_merge(State& state, const State& other) {
  state.same.push_back(other.id);
  for (const std::string& each : other.same) state.same.push_back(each);
  unite(state.identifiers, other.identifiers);
  state.consents = consents_of(state, other);
}

void Turn::join_profile(State& other) {
  const auto is_kept_for_ranks = [&](AttributeId id) {
    return std::any_of(plan_.tiers.begin(), plan_.tiers.end(),
                       [&](const plan::Tier& tier) { return tier.taken == id; });
  };
  for (std::size_t i = 0; i < state_.attributes.size(); ++i) {
    const auto id = AttributeId::of(i);
    Value& mine = state_.attributes[i];
    const Value& others = other.attributes[i];
    Timestamp& since = state_.attribute_times[i];
    const Timestamp others_since = other.attribute_times[i];
    const Value& fallback = plan_.schema.attributes[i].fallback;
    if (is_kept_for_ranks(id)) continue;
    const Value before = mine;
    if (id == tags_attribute && plan_.schema.attributes[i].type.kind == Kind::List) {
      mine = with_tags(mine, others);
      since = std::max(since, others_since);
    } else if (!others.is_missing() &&
               (since < others_since ||
                (since == others_since && mine == fallback && others != fallback))) {
      mine = others;
      since = others_since;
    }
    if (mine != before) note_change(id);
  }
  unite(state_.identifiers, other.identifiers);
  state_.consents = consents_of(state_, other);
  state_.hold_out_never = state_.hold_out_never || other.hold_out_never;
  state_.hold_out_always = state_.hold_out_always || other.hold_out_always;
  state_.is_label = state_.is_label && other.is_label;
  if (waking_ == nullptr) return;
  note_source(waking_->index.sources().identifiers());
  note_source(waking_->index.sources().consents());
}

// --- Metrics, and what he has seen and was sent --------------------------------------------------

namespace {

// The two lists as one, by time; of one instant the first list's before.
template <class Items, class Time>
void join_by_time(Items& into, Items from, Time time) {
  if (from.empty()) return;
  Items all;
  all.reserve(into.size() + from.size());
  std::merge(std::move_iterator(into.begin()), std::move_iterator(into.end()),
             std::move_iterator(from.begin()), std::move_iterator(from.end()),
             std::back_inserter(all),
             [&](const auto& a, const auto& b) { return time(a) < time(b); });
  into = std::move(all);
}

void join_seen(State& state, const State& other) {
  std::vector<std::pair<std::uint64_t, std::uint32_t>> mine, others, all;
  state.seen.for_each([&](std::uint64_t hash, std::uint32_t at) { mine.emplace_back(hash, at); });
  other.seen.for_each([&](std::uint64_t hash, std::uint32_t at) { others.emplace_back(hash, at); });
  std::set_union(mine.begin(), mine.end(), others.begin(), others.end(), std::back_inserter(all),
                 [](const auto& a, const auto& b) { return a.first < b.first; });
  auto next = all.begin();
  state.seen.assign(all.size(), [&] { return *next++; });
  if (other.seen_pruned == Timestamp::ever()) return;
  state.seen_pruned = state.seen_pruned == Timestamp::ever()
                          ? other.seen_pruned
                          : std::min(state.seen_pruned, other.seen_pruned);
}

}  // namespace

void Turn::join_metrics(const State& other) {
  for (const auto& [kept, slot] : other.accumulators) {
    const auto id = plan::AccumulatorId::of(slot);
    core::join(plan_.accumulators[slot], state_.accumulators.at(slot), kept);
    note_change(id);
  }
  for (const auto& [kept, slot] : other.logs) {
    const plan::Log& of = plan_.logs[slot];
    core::join(of, state_.logs.at(slot), kept);
    prune(of, state_.logs.at(slot), now_, zone());
    note_change(plan::LogId::of(slot));
  }
  join_seen(state_, other);
  join_by_time(state_.recent, other.recent, [](const Recent& each) { return each.time; });
  join_by_time(state_.sent, other.sent, [](const Sent& each) { return each.at; });
  state_.schedules_done = std::max(state_.schedules_done, other.schedules_done);
}

// Wherever one of them was, the one person was: he does not enter it a second time.
void Turn::join_watches(const State& other) {
  for (const auto& [watched, slot] : other.watches) {
    Watched both = state_.watches[slot];
    both.inside = both.inside || watched.inside;
    state_.watches.set(slot, both);
    note_change(plan::WatchId::of(slot));
  }
}

// --- Journeys ------------------------------------------------------------------------------------

namespace {

template <class Items>
void insert_behind(Items& items, typename Items::value_type item) {
  const auto place = std::upper_bound(items.begin(), items.end(), item, by_campaign);
  items.insert(place, std::move(item));
}

// Of two who are in one campaign: whoever has entered goes on, before one who is on his way in.
bool goes_on(const Journey& one, const Journey& other) {
  const bool has_entered = one.phase == Journey::Phase::Active;
  if (has_entered != (other.phase == Journey::Phase::Active)) return has_entered;
  return one.entered <= other.entered;
}

}  // namespace

void Turn::join_journeys(State& other) {
  for (const Entered& each : other.entries) {
    const auto place =
        std::lower_bound(state_.entries.begin(), state_.entries.end(), each, by_campaign);
    if (place != state_.entries.end() && !by_campaign(each, *place))
      place->at = std::max(place->at, each.at);
    else
      state_.entries.insert(place, each);
  }
  join_by_time(state_.open, std::move(other.open), [](const OpenSend& each) { return each.sent; });

  std::vector<Hash128> over;
  const auto is_rival = [&](const Journey& mine, const Journey& others) {
    const auto& versions = campaign(mine.campaign).others;
    return mine.phase != Journey::Phase::Ended && mine.key == others.key &&
           (mine.campaign == others.campaign ||
            std::find(versions.begin(), versions.end(), others.campaign) != versions.end());
  };
  for (Journey& others : other.journeys) {
    if (others.phase != Journey::Phase::Ended)
      for (const Journey& mine : state_.journeys)
        if (is_rival(mine, others)) over.push_back(goes_on(mine, others) ? others.id : mine.id);
    insert_behind(state_.journeys, std::move(others));
  }
  for (const Hash128 id : over)
    if (Journey* const journey = find_journey(id)) leave(*journey, Reason::Merged);
}

}  // namespace koi::core
