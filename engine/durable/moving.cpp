// Writer, of customers of several groups who turn out to be one person (core/merge.h). The event of
// M has met O:
//   M's event waits, and O's group is asked (Meeting), wherever O has gone by now.
//   It says whether they are two people, or who of them stays: if O goes he comes at once
//   (Arrival), if M is to go (Verdict::Go) O is kept as he is until M has come. The one who stays
//   is merged with the one who comes before anything else of his is decided; what either waited
//   with is decided then, and an event that was the reason finds that they are one.
//
// INVARIANT: a customer takes part in one meeting at a time: M while he asks, O from Go on until M
// has come, the one who stays until the merge is decided. Nothing else changes him meanwhile, so
// what was said of him stays true. About whoever takes part, or has something to decide first, a
// Meeting is kept (meetings.h) until he is free. Nobody waits for ever: all of it is answered but
// where O asks somebody himself. There the one who was seen later waits for the other; whoever was
// seen earlier is told Held, may be met by others, and asks again when O is free.
#include <algorithm>
#include <tuple>
#include <utility>

#include "core/codec.h"
#include "core/merge.h"
#include "durable/writer.h"

namespace koi::durable {

namespace {

constexpr std::uint64_t most_hops = 1000;  // in so many groups in a row nobody has been

Error moved() {
  return {"moved",
          "the customer has turned out to be one whom another group serves; ask again under the "
          "same key"};
}

bool was_seen_before(const core::Face& one, const core::Face& other) {
  return std::tie(one.created, one.id) < std::tie(other.created, other.id);
}

// What came for one customer is for another.
void readdress(Given& given, const std::string& to) {
  if (auto* event = std::get_if<Event>(&given)) event->customer = to;
  if (auto* came = std::get_if<ReceiptFor>(&given)) came->customer = to;
  if (auto* letter = std::get_if<LetterFrom>(&given)) std::get<core::Message>(letter->told).to = to;
}

// An event that was in time when its customer's clock was at `before`, and would be too late now:
// it counts at the earliest instant that it may.
bool keep_in_time(Given& given, Timestamp before, Timestamp now, Duration lateness) {
  auto* const event = std::get_if<Event>(&given);
  const auto is_in_time = [&](Timestamp clock) {
    return event->time >= clock || clock - event->time <= lateness;
  };
  if (!event || is_in_time(now) || !is_in_time(before)) return false;
  event->time = now - lateness;
  return true;
}

}  // namespace

Writer::Part Writer::part_of(const std::string& customer) const {
  if (!waiting_.waits(customer)) return Part::Free;
  const auto asked = waiting_.asked_about(customer);
  if (!asked) return Part::Busy;
  return asked->is_resting ? Part::Free : Part::Asks;
}

// Whose coming he waits for; null: he does not. Valid until his next change.
const Meeting* Writer::awaited_by(const std::string& customer) {
  if (!waiting_.waits(customer)) return nullptr;
  const auto& given = waiting_.first(customer).given;
  const auto* const letter = given ? std::get_if<LetterFrom>(&*given) : nullptr;
  return letter ? std::get_if<Meeting>(&letter->told) : nullptr;
}

// --- Those who have gone ------------------------------------------------------------------------

// Whoever he is by now has the turn.
Result<core::Standing> Writer::follow(const Turn& turn) {
  // A level was that of the one who is not there any more; who he is by now was ranked himself.
  if (turn.given != nullptr && tells_level(*turn.given)) return core::Standing::TooLate;
  std::string customer(turn.customer);
  KOI_LET(const core::State* const state, bring(customer));
  if (state == nullptr) return pass_on(turn, customer);
  customers_.unchanged();
  Turn his = turn;
  his.customer = customer;
  his.partition = partition_of(customer);
  return take_turn(his);
}

Result<core::Standing> Writer::pass_on(const Turn& turn, const std::string& to) {
  const store::Group group = groups_.group_of(partition_of(to));
  if (turn.given == nullptr) return core::Standing::Applied;  // nobody's timers
  if (std::holds_alternative<core::Call>(*turn.given)) {
    if (caller_) fail(*std::exchange(caller_, std::nullopt), moved());
    return core::Standing::Applied;
  }
  if (hops_ >= most_hops)
    return Error{"corrupt", "customers of several groups lead to each other, all in turn"};
  Along along{hops_ > 0 ? passed_since_ : turn.stamp, *turn.given};
  readdress(along.given, to);
  if (auto* letter = std::get_if<LetterFrom>(&along.given)) {
    letters_.write(group, rules_, std::get<core::Message>(std::move(letter->told)));
    return core::Standing::Applied;
  }
  const auto* event = std::get_if<Event>(turn.given);
  if (event && event->type == type_of(EngineEvent::Unsubscribed)) {
    // What would reach him under this id is withdrawn at once.
    core::State refused = core::new_customer(plan_, std::string(turn.customer));
    Event past = *event;
    past.time = std::min(past.time, stamp_);
    core::pass_over(plan_, refused, past);
    withdraw_here(refused);
  }
  Passed passed{to, hops_ + 1, {}};
  passed.inputs.push_back(std::move(along));
  letters_.write(group, rules_, std::move(passed));
  return core::Standing::Applied;
}

// As any letter it counts at the stamp of the batch that brings it: at the instant of a refreshing
// nobody can wait for what is still to be passed on. But no event is of later than when it came.
Result<void> Writer::take(store::Position position, const Passed& passed) {
  hops_ = passed.hops;
  for (Along each : passed.inputs) {
    passed_since_ = each.stamp;
    if (auto* event = std::get_if<Event>(&each.given))
      event->time = std::min(event->time, each.stamp);
    std::string customer = passed.to;
    KOI_LET(const core::State* const state, bring(customer));
    // What was in time when it came is not too late because it was passed on.
    if (state != nullptr) {
      keep_in_time(each.given, each.stamp, state->clock, plan_.policy.lateness);
      customers_.unchanged();
    }
    const auto taken =
        take_turn({partition_of(passed.to), passed.to, position, stamp_, &each.given});
    if (!taken) return taken.error();
  }
  hops_ = 0;
  return {};
}

Result<void> Writer::take(const Refused& refused) {
  core::State state = core::new_customer(plan_, refused.customer);
  for (const std::string& each : refused.ids) state.same.push_back(each);
  for (const core::Consent& each : refused.consents) state.consents.push_back(each);
  withdraw_here(state);
  return {};
}

// --- Asking --------------------------------------------------------------------------------------

// The turn of an event that has met somebody: it waits until that is said, where it says anything.
Result<core::Standing> Writer::take_met(const Turn& turn) {
  std::string customer(turn.customer);
  KOI_LET(const core::State* const state, bring(customer));
  if (state == nullptr) return pass_on(turn, customer);
  const auto& event = std::get<Event>(*turn.given);
  const bool says_something = core::says_something(plan_, *state, event);
  customers_.unchanged();
  Turn his = turn;
  his.customer = customer;
  his.partition = partition_of(customer);
  if (says_something || waiting_.waits(customer)) {
    KOI_TRY(wait(his, {}));
    ready_.push_back(std::move(customer));
    return core::Standing::Applied;
  }
  Event alone = event;
  alone.met.clear();
  const Given given(std::move(alone));
  his.given = &given;
  return take_turn(his);
}

// The identifier that the customer's first event has met is his, or is left to the other.
void Writer::strike(const std::string& customer, bool is_his) {
  bool is_first = true;
  waiting_.change(customer, rules_, [&](Waited& each) {
    if (!std::exchange(is_first, false)) return false;
    Event& event = std::get<Event>(*each.given);
    if (is_his) event.identifiers.push_back(event.met.front().identifier);
    event.met.erase(event.met.begin());
    return true;
  });
}

// The customer's first event has met somebody. True: that is said, and he is to be tried again.
// Else he waits, has gone, or is to be tried again later.
Result<bool> Writer::meet(const std::string& customer) {
  const Waited& first = waiting_.first(customer);
  const Event event = std::get<Event>(*first.given);
  Meeting meeting{event.met.front().customer, customer, {}, std::min(event.time, first.stamp),
                  event.met.front().link,     position_};
  KOI_LET(const core::State* const state, customers_.of(first.partition, customer));
  const bool says_something = core::says_something(plan_, *state, event);
  bool is_he = core::is_called(*state, meeting.other);
  meeting.face = core::face_of(plan_, *state, event);
  customers_.unchanged();
  if (!says_something) {
    for (std::size_t left = event.met.size(); left > 0; --left) strike(customer, false);
    return true;
  }
  if (!is_he) {
    KOI_LET(const core::State* const other, bring(meeting.other));
    if (other != nullptr) customers_.unchanged();
    is_he = meeting.other == customer;
  }
  if (is_he) {
    strike(customer, true);
    return true;
  }
  waiting_.asks_about(customer, Waiting::Asked{meeting.number, false});
  KOI_TRY(hold_off_earlier(customer, meeting.face));
  const store::Group group = groups_.group_of(partition_of(meeting.other));
  if (group == group_)
    KOI_TRY(answer(std::move(meeting)));
  else
    letters_.write(group, rules_, std::move(meeting));
  return false;
}

// He asks from here on: of those who wait to meet him, whoever was seen earlier does not.
Result<void> Writer::hold_off_earlier(const std::string& customer, const core::Face& face) {
  std::vector<Meeting> held;
  for (Meetings::Kept& each : meetings_.take(customer)) {
    if (!each.is_held && was_seen_before(each.meeting.face, face)) {
      each.is_held = true;
      held.push_back(each.meeting);
    }
    meetings_.keep(customer, std::move(each), rules_);
  }
  for (const Meeting& each : held) KOI_TRY(say(each, Verdict::Kind::Held));
  return {};
}

Result<void> Writer::say(const Meeting& to, Verdict::Kind kind, const std::string& stays) {
  Verdict verdict{kind, to.mine, to.other, to.number, stays, stamp_};
  const store::Group group = groups_.group_of(partition_of(to.mine));
  if (group == group_) return tell(verdict);
  letters_.write(group, rules_, std::move(verdict));
  return {};
}

// --- Being asked ---------------------------------------------------------------------------------

Result<void> Writer::answer(Meeting meeting) {
  using Kind = Verdict::Kind;
  std::string other = meeting.other;
  KOI_LET(const core::State* const state, bring(other));
  if (state == nullptr) {
    meeting.other = other;
    if (other == meeting.mine) return say(meeting, Kind::Same);
    letters_.write(groups_.group_of(partition_of(other)), rules_, std::move(meeting));
    return {};
  }
  const core::Face face = core::face_of(plan_, *state);
  customers_.unchanged();
  if (other == meeting.mine) return say(meeting, Kind::Same);
  meeting.other = other;
  const Part part = part_of(other);
  if (part != Part::Free) {
    const bool is_held = part == Part::Asks && was_seen_before(meeting.face, face);
    meetings_.keep(other, {meeting, is_held}, rules_);
    return is_held ? say(meeting, Kind::Held) : Result<void>();
  }
  switch (core::bond_of(meeting.face, face, meeting.link)) {
    case core::Bond::TwoPeople: return say(meeting, Kind::TwoPeople);
    case core::Bond::FirstStays: return depart(other, meeting.mine, meeting.at, stamp_);
    case core::Bond::SecondStays: break;
  }
  // He stays, as he is.
  const Partition partition = partition_of(other);
  const store::Group from = groups_.group_of(partition_of(meeting.mine));
  Waited awaited{stamp_, partition, other, LetterFrom{from, 0, meeting}, Timestamp::never(), {}};
  waiting_.put_first(std::move(awaited), rules_);
  customers_.hold(partition, other);
  return say(meeting, Kind::Go, other);
}

// He is free: those who wait to meet him are answered.
Result<void> Writer::serve(const std::string& customer) {
  if (meetings_.empty()) return {};
  for (Meetings::Kept& each : meetings_.take(customer)) {
    if (!each.is_held)
      KOI_TRY(answer(std::move(each.meeting)));
    else if (part_of(customer) == Part::Free)
      KOI_TRY(say(each.meeting, Verdict::Kind::Again));
    else
      meetings_.keep(customer, std::move(each), rules_);
  }
  return {};
}

// --- Being told ----------------------------------------------------------------------------------

Result<void> Writer::tell(const Verdict& verdict) {
  using Kind = Verdict::Kind;
  const std::string& mine = verdict.mine;
  if (verdict.kind == Kind::Stays) {
    const std::string& other = verdict.other;
    const Meeting* const awaited = awaited_by(other);
    if (awaited == nullptr || awaited->mine != mine) return {};
    waiting_.take(other);
    if (waiting_.waits(other)) {
      ready_.push_back(other);
      return {};
    }
    KOI_TRY(customers_.let_go(partition_of(other), other));
    return serve(other);
  }
  const auto asked = waiting_.asked_about(mine);
  // Else it was set aside that he asked, or he was to ask again before he was told so.
  const bool is_asked = asked && asked->number == verdict.number &&
                        asked->is_resting == (verdict.kind == Kind::Again);
  if (!is_asked) {
    if (verdict.kind != Kind::Go) return {};
    Verdict back{Kind::Stays, mine, verdict.stays, verdict.number, {}, {}};
    const store::Group group = groups_.group_of(partition_of(verdict.stays));
    if (group == group_) return tell(back);
    letters_.write(group, rules_, std::move(back));
    return {};
  }
  switch (verdict.kind) {
    case Kind::Held:
      waiting_.asks_about(mine, Waiting::Asked{verdict.number, true});
      return serve(mine);
    case Kind::Go: {
      const Waited& first = waiting_.first(mine);
      const Timestamp at = std::min(std::get<Event>(*first.given).time, first.stamp);
      return depart(mine, verdict.stays, at, verdict.since);
    }
    case Kind::Same: strike(mine, true); break;
    case Kind::TwoPeople: strike(mine, false); break;
    case Kind::Again: break;
    case Kind::Stays: KOI_ASSERT(false);
  }
  waiting_.asks_about(mine, {});
  ready_.push_back(mine);
  return {};
}

// --- Going ---------------------------------------------------------------------------------------

// He goes with all that he waits with. Who has called for him is to ask again.
Result<void> Writer::depart(const std::string& goes, const std::string& stays, Timestamp at,
                            Timestamp since) {
  const Partition partition = partition_of(goes);
  const store::Group to = groups_.group_of(partition_of(stays));
  Arrival arrival{stays, goes, at, since, {}, {}, {}};
  KOI_LET(core::State * state, customers_.of(partition, goes));
  keep_for_ranks(*state, since, Overdue::Stays);
  const core::State gone = core::take_out(plan_, *state, stays);
  leave_for_ranks(*state, gone, since);
  customers_.changed();
  if (gives_ && to != group_)
    arrival.places = core::leave_group(plan_, gone, accounts_, to, stays, at);
  arrival.state = core::encode(plan_, gone);
  if (waiting_.waits(goes)) {
    while (waiting_.waits(goes)) {
      Waited each = waiting_.take(goes);
      deeds_.goes_on(group_, pause_of(turn_of(each), {}));
      if (each.caller.request) fail(each.caller, moved());
      // His timers are those of the one who stays.
      if (!each.given || std::holds_alternative<core::Call>(*each.given)) continue;
      if (tells_level(*each.given)) continue;
      readdress(*each.given, stays);
      arrival.inputs.push_back({each.stamp, *std::move(each.given)});
    }
    KOI_TRY(customers_.let_go(partition, goes));
  }
  for (auto place = callers_.begin(); place != callers_.end();) {
    std::erase_if(place->second, [&](const Caller& each) {
      if (each.customer != goes) return false;
      fail(each, moved());
      return true;
    });
    place = place->second.empty() ? callers_.erase(place) : std::next(place);
  }
  if (to == group_)
    KOI_TRY(accept(group_, std::move(arrival)));
  else
    letters_.write(to, rules_, std::move(arrival));
  return pass_on_meetings(goes, stays);
}

// Who waits to meet him meets the one who stays, behind his coming.
Result<void> Writer::pass_on_meetings(const std::string& goes, const std::string& stays) {
  const store::Group group = groups_.group_of(partition_of(stays));
  for (Meetings::Kept& each : meetings_.take(goes)) {
    if (each.is_held) {
      KOI_TRY(say(each.meeting, Verdict::Kind::Again));
      continue;
    }
    each.meeting.other = stays;
    if (group == group_)
      KOI_TRY(answer(std::move(each.meeting)));
    else
      letters_.write(group, rules_, std::move(each.meeting));
  }
  return {};
}

// --- Coming --------------------------------------------------------------------------------------

// The merge is the next that the one who stays decides; what came along stands behind what he waits
// with.
Result<void> Writer::accept(store::Group from, Arrival arrival) {
  const std::string stays = arrival.stays;
  const Partition partition = partition_of(stays);
  KOI_LET(const core::State came, core::decode(plan_, arrival.state));
  KOI_LET(const core::State* const state, customers_.of(partition, stays));
  const bool is_gone = core::gone_to(*state) != nullptr;
  const Timestamp before = state->clock, since = arrival.since;
  customers_.unchanged();
  if (is_gone) return Error{"corrupt", "somebody has come to a customer who has gone himself"};
  const Duration lateness = plan_.policy.lateness;
  const Timestamp now = std::max({arrival.at, before, came.clock});
  if (awaited_by(stays) != nullptr) waiting_.take(stays);
  waiting_.change(stays, rules_, [&](Waited& each) {
    return each.given && keep_in_time(*each.given, before, now, lateness);
  });
  for (Along& each : std::exchange(arrival.inputs, {})) {
    keep_in_time(each.given, came.clock, now, lateness);
    waiting_.add(
        {each.stamp, partition, stays, std::move(each.given), Timestamp::never(), Caller{}},
        rules_);
  }
  waiting_.put_first({since, partition, stays, LetterFrom{from, 0, std::move(arrival)},
                      Timestamp::never(), Caller{}},
                     rules_);
  customers_.hold(partition, stays);
  KOI_TRY(heed_refusals(partition, stays));
  ready_.push_back(stays);
  return {};
}

// The turn in which the two become one: what was due for the one who came is decided here too, so
// that who goes lacks nothing where he goes from.
Result<core::Standing> Writer::try_merge(const Turn& turn, store::Group from,
                                         const Arrival& arrival,
                                         std::span<const core::Lack> answered,
                                         std::vector<core::Lack>& lacks) {
  KOI_LET(core::State came, core::decode(plan_, arrival.state));
  const std::string goes = came.id;
  KOI_LET(core::State * state, customers_.of(turn.partition, turn.customer));
  std::optional<core::State> before;
  if (accounts_.is_shared()) {
    before.emplace(*state);
    accounts_.begin_turn(answered, {});
  }
  if (gives_ && from != group_)
    core::enter_group(plan_, came, accounts_, from, arrival.places, arrival.stays, arrival.at);
  const Timestamp at = core::instant_of_merge(*state, came, arrival.at);
  core::decide(plan_, came, core::Tick{at, false}, effects_, &waking_, accounts());
  const std::size_t before_it = effects_.size();
  rank_anew(*state, arrival.since);
  keep_for_ranks(*state, arrival.since, Overdue::Fires);
  core::merge(plan_, *state, std::move(came), at, effects_, &waking_, accounts());
  if (gives_ && accounts_.fault()) return *accounts_.fault();
  if (accounts_.lacks()) {
    *state = *std::move(before);
    effects_.clear();
    lacks = accounts_.undo_turn();
    customers_.unchanged();
    return core::Standing::Applied;
  }
  if (before) accounts_.end_turn();
  // Receipts of what he has decided must come here.
  const std::size_t first = decided_.size();
  hand_on(*state, turn.position, turn.partition);
  if (from == group_)
    for (std::size_t i = 0; i < before_it; ++i) {
      decided_[first + i].customer = goes;
      decided_[first + i].partition = partition_of(goes);
    }
  withdraw(*state);  // what either has refused, under either id
  customers_.changed();
  say_arrived(from, arrival);
  KOI_TRY(deliver_messages(turn.position));
  return core::Standing::Applied;
}

// From here on this group knows where his codes lead.
void Writer::say_arrived(store::Group from, const Arrival& arrival) {
  if (from == group_ || arrival.places.empty()) return;
  Arrived arrived{arrival.goes, {}};
  for (const CodePlace& each : arrival.places) arrived.codes.push_back(each.code);
  letters_.write(from, rules_, std::move(arrived));
}

Result<void> Writer::take(const Arrived& arrived) {
  if (!gives_) return {};
  accounts_.know({});
  for (const std::string& code : arrived.codes) {
    const core::Accounts::Place* const place = accounts_.find(code);
    if (place != nullptr && groups_.group_of(partition_of(place->customer)) != group_)
      accounts_.forget(code);
  }
  return {};
}

// --- What crashes --------------------------------------------------------------------------------

// He counts as come, and what he was given as his; all else of him is lost.
Result<void> Writer::pass_over(const std::string& stays, store::Group from,
                               const Arrival& arrival) {
  KOI_LET(const core::State came, core::decode(plan_, arrival.state));
  accounts_.begin_turn();
  if (gives_ && from != group_)
    core::enter_group(plan_, came, accounts_, from, arrival.places, stays, arrival.at);
  accounts_.end_turn();
  say_arrived(from, arrival);
  KOI_LET(core::State * state, customers_.of(partition_of(stays), stays));
  core::pass_over_merge(*state, came);
  withdraw(*state);
  customers_.changed();
  return {};
}

}  // namespace koi::durable
