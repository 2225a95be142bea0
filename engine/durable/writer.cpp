#include "durable/writer.h"

#include <algorithm>
#include <utility>

#include "core/decide.h"
#include "core/gate.h"
#include "core/merge.h"
#include "core/ranks.h"
#include "durable/detail/watched.h"

namespace koi::durable {

void Request::finish(std::size_t inputs, const Error* error) {
  if (error) {
    const std::lock_guard lock(mutex_);
    if (!error_) error_ = *error;
  }
  if (left_.fetch_sub(inputs) != inputs || !done_) return;
  if (error_)
    done_(*error_);
  else
    done_(std::move(answers_));
}

namespace {

// Calls `each` with every request of the batch and how many of its inputs stand side by side there:
// neighbours are often of one request, which is then told once.
template <class Each>
void for_each_request(const Batch& batch, Each each) {
  for (const auto& items : batch.parts) {
    for (std::size_t i = 0; i < items.size();) {
      std::size_t end = i + 1;
      while (end < items.size() && items[end].request == items[i].request) ++end;
      if (items[i].request) each(*items[i].request, end - i);
      i = end;
    }
  }
}

}  // namespace

std::size_t Batch::inputs() const {
  std::size_t inputs = 0;
  for (const auto& items : parts) inputs += items.size();
  return inputs;
}

void Batch::fail(const Error& error) const {
  for_each_request(*this,
                   [&](Request& request, std::size_t inputs) { request.finish(inputs, &error); });
}

namespace {

// Of a group's room, where its customers share something: one part in so many is for the accounts,
// a quarter of that for what the store has of them, counted by things of about so many bytes.
constexpr std::uint64_t share_of_accounts = 4, bytes_of_thing = 250;

bool gives(const plan::Plan& plan) {
  return !plan.incentives.empty() || !plan.referrals.empty() || !plan.budgets.empty();
}

}  // namespace

Writer::~Writer() = default;

Writer::Writer(const plan::Plan& plan, const match::Index& index, const store::Store& store,
               store::Groups groups, store::Group group, std::uint64_t budget, Deeds& deeds)
    : plan_(plan),
      waking_{index},
      groups_(groups),
      group_(group),
      gives_(gives(plan)),
      accounts_budget_(gives_ ? budget / share_of_accounts : 0),
      customers_(plan, store, group, budget - accounts_budget_),
      store_(store),
      shelf_(store, group),
      accounts_(plan),
      deeds_(deeds),
      letters_(group, groups, rows_),
      waiting_(rows_),
      meetings_(rows_) {
  if (!gives_) return;
  accounts_.keep_on(shelf_, accounts_budget_ / 4 / bytes_of_thing);
  if (groups.count > 1 && plan.has_competition()) accounts_.share(group, groups.count);
}

Result<void> Writer::learn(std::uint64_t rules) {
  if (accounts_.fault()) return *accounts_.fault();  // they have read the store already
  KOI_TRY(customers_.learn());
  const auto learn_row = [&](std::string_view key, std::string_view bytes) -> Result<void> {
    KOI_LET(const bool is_letters, letters_.learn(key, bytes));
    if (is_letters) return {};
    KOI_LET(const bool is_waiting, waiting_.learn(key, bytes, plan_, rules));
    if (is_waiting) return {};
    const auto learnt = meetings_.learn(key, bytes, plan_, rules);
    return learnt ? Result<void>() : learnt.error();
  };
  KOI_TRY(rows_.learn(store_, group_, learn_row));
  KOI_TRY(waiting_.learnt());
  waiting_.for_each_customer(
      [this](const Waited& first) { customers_.hold(first.partition, first.customer); });
  return {};
}

// --- Checkpoints --------------------------------------------------------------------------------

std::vector<store::Shared> Writer::freeze_shared() {
  std::vector<store::Shared> shared;
  for (core::Accounts::Change& each : accounts_.freeze())
    shared.push_back({std::move(each.key), std::move(each.bytes)});
  rows_.freeze(shared);
  return shared;
}

void Writer::committed() {
  customers_.committed();
  accounts_.committed();
  rows_.committed();
}

void Writer::failed(std::span<const Changed> frozen) {
  customers_.failed(frozen);
  accounts_.failed();
  rows_.failed();
}

namespace {
std::uint64_t percent(std::uint64_t bytes, std::uint64_t budget) {
  const std::uint64_t one = std::max<std::uint64_t>(1, budget / 100);
  return (bytes + one - 1) / one;
}
}  // namespace

std::uint64_t Writer::percent_held() const {
  return std::max(percent(customers_.held_bytes(), customers_.budget()),
                  percent(accounts_.held_bytes(), accounts_budget_ / 4 * 3));
}

std::uint64_t Writer::percent_changed() const {
  return std::max(percent(customers_.changed_bytes(), customers_.budget()),
                  percent(accounts_.changed_bytes(), accounts_budget_ / 4 * 3));
}

// --- Batches ------------------------------------------------------------------------------------

Result<void> Writer::step(const Batch& batch) {
  KOI_TRY(open(batch.first, batch.opening));
  store::Position position = batch.first;
  wanted_.clear();
  for (const auto& items : batch.parts)
    for (const Item& item : items) {
      const std::string_view customer = customer_of(item.given);
      if (customer.empty()) continue;  // a call's, who is found by its code
      const auto* event = std::get_if<Event>(&item.given);
      wanted_.push_back({store::place_of(item.partition, customer), item.partition, customer,
                         event ? event->id_hash() : 0});
    }
  KOI_TRY(customers_.bring_all(wanted_));
  std::size_t at = 0;
  for (const auto& items : batch.parts) {
    for (const Item& item : items) {
      look_ahead(at++);
      if (item.request && std::holds_alternative<core::Call>(item.given))
        caller_ = Caller{item.request, item.number, position + 1};
      KOI_LET(const core::Standing standing, apply(++position, item.partition, item.given));
      if (item.request && !std::holds_alternative<core::Call>(item.given))
        item.request->answer(item.number, {standing, position, nullptr});
    }
  }
  close();
  for_each_request(batch, [](Request& request, std::size_t inputs) { request.finish(inputs); });
  finish_callers();
  return {};
}

// The customers of the next inputs: the nearest is almost there, of the farthest it is only asked
// where he is.
void Writer::look_ahead(std::size_t at) const {
  constexpr std::size_t apart = 3;
  for (int step = 0; step < Customers::prefetch_steps; ++step) {
    const std::size_t ahead =
        at + apart * static_cast<std::size_t>(Customers::prefetch_steps - step);
    if (ahead < wanted_.size()) customers_.prefetch(wanted_[ahead], step);
  }
}

Result<void> Writer::open(store::Position position, const Opening& opening) {
  position_ = position;
  stamp_ = opening.stamp;
  rules_ = opening.rules;
  find_borders();
  accounts_.decide_by(opening.rules);
  return fire_timers(opening);
}

// --- What crashes -------------------------------------------------------------------------------

namespace {

store::SetAside timers_of(const store::Due& timer, store::Position position) {
  return {position, store::place_of(timer.partition, timer.customer) + 1};
}

}  // namespace

bool Writer::is_set_aside(store::SetAside what) const {
  return !set_aside_.empty() && std::binary_search(set_aside_.begin(), set_aside_.end(), what);
}

// Nothing comes of it, but that it counts as seen (it is acknowledged when it comes again), and
// that a refusal is one.
Result<void> Writer::pass_over(const Given& given) {
  if (const auto* event = std::get_if<Event>(&given)) {
    std::string customer(customer_of(given));
    KOI_LET(core::State * state, bring(customer));
    if (state == nullptr) return {};
    keep_for_ranks(*state, stamp_, Overdue::Stays);
    Event past = *event;
    past.time = std::min(past.time, stamp_);
    core::pass_over(plan_, *state, past);
    if (event->type == type_of(EngineEvent::Unsubscribed)) withdraw(*state);
    customers_.changed();
  } else if (const auto* came = std::get_if<ReceiptFor>(&given)) {
    deeds_.settled(group_, *came);
  } else if (const auto* attempt = std::get_if<AttemptFor>(&given)) {
    deeds_.attempted(group_, attempt->key);  // it may have been made all the same
  } else if (const auto* letter = std::get_if<LetterFrom>(&given)) {
    return pass_over(*letter);
  }
  return {};
}

// --- Stepping -----------------------------------------------------------------------------------

// The first batch stamped behind a refreshing is the border that every replay finds again.
void Writer::find_borders() {
  if (plan_.tiers.empty() || stamp_ <= borders_until_) return;
  borders_.clear();
  for (std::size_t i = 0; i < plan_.tiers.size(); ++i)
    borders_.push_back({core::last_refreshing(plan_, plan_.tiers[i], stamp_), i});
  std::stable_sort(borders_.begin(), borders_.end(),
                   [](const Border& a, const Border& b) { return a.at < b.at; });
  borders_until_ = next_refreshing();
}

// Before something changes him that came with the batch of that stamp: what came before a border
// counts, though it may have waited. Timers of his that were due before a border and had no turn
// yet have it first, where they may.
void Writer::keep_for_ranks(core::State& state, Timestamp stamp, Overdue overdue) {
  for (const Border& border : borders_) {
    if (border.at >= stamp) return;
    const plan::Tier& tier = plan_.tiers[border.tier];
    if (core::is_taken(tier, state, border.at)) continue;
    if (overdue == Overdue::Fires && core::next_due(state) < border.at)
      core::decide(plan_, state, core::Tick{border.at, false}, effects_, &waking_, accounts());
    core::take(plan_, tier, state, border.at);
    has_kept_ = true;
  }
}

// Two who were settled to be one at `stamp` were two people at every border before it: who has gone
// is ranked by what is left behind.
void Writer::leave_for_ranks(core::State& left, const core::State& gone, Timestamp stamp) const {
  for (const Border& border : borders_) {
    if (border.at >= stamp) return;
    const plan::Tier& tier = plan_.tiers[border.tier];
    if (!core::is_taken(tier, gone, border.at)) continue;
    left.attributes[tier.taken.index()] = gone.attributes[tier.taken.index()];
    left.attribute_times[tier.taken.index()] = border.at;
  }
}

// And one person at every border behind it, whatever was kept of him while the other was on his
// way.
void Writer::rank_anew(core::State& state, Timestamp stamp) const {
  for (const Border& border : borders_) {
    const plan::Tier& tier = plan_.tiers[border.tier];
    if (border.at < stamp || !core::is_taken(tier, state, border.at)) continue;
    state.attributes[tier.taken.index()] = {};
    state.attribute_times[tier.taken.index()] = Timestamp::ever();
  }
}

// Is it the event by which a customer learns his level in a tier?
bool Writer::tells_level(const Given& given) const {
  const auto* event = std::get_if<Event>(&given);
  return event && std::any_of(plan_.tiers.begin(), plan_.tiers.end(),
                              [&](const plan::Tier& tier) { return tier.ranked == event->type; });
}

// INVARIANT: timers fire in the order of (due, customer); a replay depends on it.
Result<void> Writer::fire_timers(const Opening& opening) {
  for (std::uint32_t fired = 0; fired < opening.timers; ++fired) {
    KOI_LET(const store::Due* next, customers_.next_timer(opening.stamp));
    if (!next) return {};
    const store::Due timer = *next;
    const store::SetAside name = timers_of(timer, position_);
    const Watched watched(watch_, group_, name);
    if (is_set_aside(name)) {
      KOI_LET(core::State * state, customers_.of(timer.partition, timer.customer));
      keep_for_ranks(*state, opening.stamp, Overdue::Stays);
      core::pass_over_due(*state, opening.stamp);
      customers_.changed();
      continue;
    }
    KOI_TRY(take_turn({timer.partition, timer.customer, position_, stamp_, nullptr, timer.due}));
    KOI_TRY(go_on());
  }
  return {};
}

Result<core::Standing> Writer::apply(store::Position position, Partition partition,
                                     const Given& given) {
  position_ = position;
  const Watched watched(watch_, group_, {position, 0});
  core::Standing standing = core::Standing::Applied;
  if (is_set_aside({position, 0})) {
    // Whoever asked is told that nothing came of it.
    if (caller_) answer(*std::exchange(caller_, std::nullopt), nullptr);
    KOI_TRY(pass_over(given));
  } else {
    KOI_LET(standing, take(position, partition, given));
  }
  KOI_TRY(go_on());
  return standing;
}

Result<core::Standing> Writer::take(store::Position position, Partition partition,
                                    const Given& given) {
  if (const auto* attempt = std::get_if<AttemptFor>(&given)) {
    deeds_.attempted(group_, attempt->key);
    return core::Standing::Applied;
  }
  if (std::holds_alternative<core::Call>(given)) return take_call(position, given);
  if (const auto* letter = std::get_if<LetterFrom>(&given)) {
    KOI_TRY(take(position, *letter));
    return core::Standing::Applied;
  }
  const auto* event = std::get_if<Event>(&given);
  if (event && is_beyond_ids(*event, stamp_, plan_.policy)) return core::Standing::TooLate;
  if (event && !event->met.empty() && groups_.count == 1) return take_met(position, *event);
  KOI_LET(const core::Standing standing,
          take_turn({partition, customer_of(given), position, stamp_, &given}));
  if (const auto* came = std::get_if<ReceiptFor>(&given)) {
    ReceiptFor settled = *came;
    settled.receipt.time = stamp_;
    deeds_.settled(group_, settled);
  }
  return standing;
}

// Of whoever holds the code: who that is, is found here.
Result<core::Standing> Writer::take_call(store::Position position, const Given& given) {
  const auto& call = std::get<core::Call>(given);
  if (accounts_.is_shared()) accounts_.know(call.places);
  if (call.kind == core::Call::Kind::Stock && gives_) {  // nobody's turn
    accounts_.answer(Hash128{}, core::stock(accounts_, call));
    if (accounts_.fault()) return *accounts_.fault();
    tell_callers({});
    return core::Standing::Applied;
  }
  const std::string* const whom = gives_ ? core::whom(accounts_, call) : nullptr;
  if (accounts_.fault()) return *accounts_.fault();
  if (!whom) {
    core::Answer nobody;
    nobody.reason = core::Reason::UnknownCode;
    accounts_.answer(Hash128{}, std::move(nobody));
    tell_callers({});
    return core::Standing::Applied;
  }
  std::string customer = *whom;
  KOI_LET(const core::State* const state, bring(customer));
  if (state != nullptr) customers_.unchanged();
  if (caller_) caller_->customer = customer;
  const Turn turn{partition_of(customer), customer, position, stamp_, &given};
  if (state == nullptr) return pass_on(turn, customer);
  KOI_LET(const core::Standing standing, take_turn(turn));
  tell_callers(core::key_of(plan_, customer, call.id), standing);
  return standing;
}

// As of the time that the input has, or came.
core::Standing Writer::decide(core::State& state, const Turn& turn) {
  if (!turn.given) {
    keep_for_ranks(state, turn.due + microseconds(1), Overdue::Stays);
    return core::decide(plan_, state, core::Tick{turn.due, true}, effects_, &waking_, accounts());
  }
  keep_for_ranks(state, turn.stamp, Overdue::Fires);
  if (const auto* event = std::get_if<Event>(turn.given)) {
    if (event->time <= turn.stamp)
      return core::decide(plan_, state, *event, effects_, &waking_, accounts());
    Event now = *event;  // or it would fire the future
    now.time = turn.stamp;
    return core::decide(plan_, state, now, effects_, &waking_, accounts());
  }
  if (const auto* came = std::get_if<ReceiptFor>(turn.given)) {
    Receipt receipt = came->receipt;
    receipt.time = turn.stamp;
    return core::decide(plan_, state, receipt, effects_, &waking_, accounts());
  }
  if (const auto* call = std::get_if<core::Call>(turn.given)) {
    core::Call now = *call;
    now.time = turn.stamp;
    return core::decide(plan_, state, now, effects_, &waking_, accounts());
  }
  const auto& message = std::get<core::Message>(std::get<LetterFrom>(*turn.given).told);
  return core::decide(plan_, state, message, effects_, &waking_, accounts());
}

// Whether an event of somebody who waits has come before: it is decided later, but answered now.
Result<bool> Writer::is_known(const Turn& turn) {
  const auto* event = turn.given ? std::get_if<Event>(turn.given) : nullptr;
  if (!event) return false;
  if (waiting_.waits(turn.customer, event->id_hash())) return true;
  KOI_LET(const core::State* state, customers_.of(turn.partition, turn.customer));
  const bool is_seen = state->seen.contains(event->id_hash());
  customers_.unchanged();
  return is_seen;
}

// Gives him his turn, or lets it wait.
Result<core::Standing> Writer::take_turn(const Turn& turn) {
  std::vector<core::Lack> lacks;
  if (!waiting_.empty() && waiting_.waits(turn.customer)) {
    KOI_LET(const bool is_again, is_known(turn));
    KOI_TRY(wait(turn, {}));
    return is_again ? core::Standing::Duplicate : core::Standing::Applied;
  }
  if (const auto* event = turn.given ? std::get_if<Event>(turn.given) : nullptr;
      event && !event->met.empty() && groups_.count > 1)
    return take_met(turn);
  KOI_LET(const core::Standing standing, try_turn(turn, {}, lacks));
  if (!lacks.empty()) KOI_TRY(wait(turn, std::move(lacks)));
  return standing;
}

namespace {
std::span<const CodePlace> places_of(const Given* given) {
  if (const auto* event = given ? std::get_if<Event>(given) : nullptr) return event->places;
  if (const auto* call = given ? std::get_if<core::Call>(given) : nullptr) return call->places;
  return {};
}
}  // namespace

// Where the group has been lent too little of something, nothing has happened, and `lacks` says of
// what.
Result<core::Standing> Writer::try_turn(const Turn& turn, std::span<const core::Lack> answered,
                                        std::vector<core::Lack>& lacks) {
  if (const auto* letter = turn.given ? std::get_if<LetterFrom>(turn.given) : nullptr)
    if (const auto* arrival = std::get_if<Arrival>(&letter->told))
      return try_merge(turn, letter->from, *arrival, answered, lacks);
  KOI_LET(core::State * state, customers_.of(turn.partition, turn.customer));
  if (core::gone_to(*state) != nullptr) {
    customers_.unchanged();
    return follow(turn);
  }
  std::optional<core::State> before;
  if (accounts_.is_shared()) {
    before.emplace(*state);
    accounts_.begin_turn(answered, places_of(turn.given));
  }
  has_kept_ = false;
  const core::Standing standing = decide(*state, turn);
  if (gives_ && accounts_.fault()) return *accounts_.fault();
  if (accounts_.lacks()) {
    *state = *std::move(before);
    effects_.clear();
    lacks = accounts_.undo_turn();
    customers_.unchanged();
    return core::Standing::Applied;
  }
  if (before) accounts_.end_turn();
  hand_on(*state, turn.position, turn.partition, turn.waited != 0 ? &turn : nullptr);
  const auto* event = turn.given ? std::get_if<Event>(turn.given) : nullptr;
  // Behind what was due before it and has been decided just now.
  if (event && event->type == type_of(EngineEvent::Unsubscribed)) withdraw(*state);
  // A receipt that nobody waits for has fired what was due before it.
  const bool may_change_nothing =
      event || (turn.given && std::holds_alternative<core::Call>(*turn.given));
  if (standing == core::Standing::Duplicate && may_change_nothing && !has_kept_)
    customers_.unchanged();
  else
    customers_.changed();
  KOI_TRY(deliver_messages(turn.position));
  return standing;
}

Result<core::Answer> Writer::validate(const core::Call& call) {
  core::Answer answer;
  answer.reason = core::Reason::UnknownCode;
  if (accounts_.is_shared()) accounts_.know(call.places);
  const std::string* const whom = gives_ ? core::whom(accounts_, call) : nullptr;
  if (accounts_.fault()) return *accounts_.fault();
  if (!whom) return answer;
  std::string customer = *whom;
  KOI_LET(const core::State* state, bring(customer));
  if (state == nullptr)
    return Error{"moved", "whoever has that code has turned out to be a customer of another group"};
  answer = core::validate(plan_, *state, accounts_, call);
  customers_.unchanged();
  if (accounts_.fault()) return *accounts_.fault();
  return answer;
}

Result<std::vector<CodePlace>> Writer::find_places(std::span<const std::string> codes) {
  std::vector<CodePlace> found;
  if (!gives_) return found;
  accounts_.know({});  // what others have told of it is not known here
  for (const std::string& code : codes) {
    const core::Accounts::Place* const place = accounts_.find(code);
    if (accounts_.fault()) return *accounts_.fault();
    if (!place) continue;
    CodePlace& each = found.emplace_back();
    each.code = code;
    each.customer = place->customer;
    if (place->incentive) each.incentive = plan_.incentives[place->incentive.index()].symbol.name;
    if (place->referral) each.referral = plan_.referrals[place->referral.index()].symbol.name;
  }
  return found;
}

Result<core::Accounts::PoolFigures> Writer::pool_figures(std::string_view pool) {
  core::Accounts::PoolFigures figures;
  if (gives_) figures = accounts_.pool_figures(pool);
  if (accounts_.fault()) return *accounts_.fault();
  return figures;
}

// What a turn tells other customers: those of the group right after the input that caused it, and
// what follows from that. Bounded: messages that answer each other come to an end (core).
Result<void> Writer::deliver_messages(store::Position position) {
  if (!gives_) return {};
  for (core::Message& message : accounts_.take_messages()) {
    const Partition partition = partition_of(message.to);
    const store::Group to = groups_.group_of(partition);
    if (to != group_) {
      letters_.write(to, rules_, std::move(message));
      continue;
    }
    const Given given(LetterFrom{group_, 0, std::move(message)});
    KOI_TRY(take_turn({partition, customer_of(given), position, stamp_, &given}));
  }
  return {};
}

// What was decided for him and must not reach him any more, wherever it has come to. Groups that he
// was a customer of before are told, so that replays of their journals withdraw it too. Nothing
// where he has refused nothing.
void Writer::withdraw(const core::State& state) {
  if (!core::has_refused(state)) return;
  withdraw_here(state);
  if (groups_.count == 1 || state.same.empty()) return;
  std::vector<bool> is_told(groups_.count, false);
  is_told[group_] = true;
  for (const std::string& each : state.same) {
    const store::Group to = groups_.group_of(partition_of(each));
    if (is_told[to]) continue;
    is_told[to] = true;
    letters_.write(to, rules_,
                   Refused{each,
                           state.id,
                           {state.same.begin(), state.same.end()},
                           {state.consents.begin(), state.consents.end()}});
  }
}

void Writer::withdraw_here(const core::State& state) {
  for (Deed& deed : decided_) {
    if (!core::is_called(state, deed.customer) || deed.effect.action != core::Action::Send)
      continue;
    const plan::Campaign& campaign = plan_.campaigns[deed.effect.campaign.index()];
    if (core::has_refused(state, campaign.campaign_class, deed.effect.channel)) deed.wanted = false;
  }
  deeds_.refused(group_, state);
}

void Writer::hand_on(const core::State& state, store::Position position, Partition partition,
                     const Turn* waited) {
  for (core::Effect& effect : effects_) {
    decided_.push_back({position, partition, state.id, std::move(effect), true});
    if (!waited) continue;
    decided_.back().waited = waited->waited;
    decided_.back().waited_since = waited->stamp;
  }
  effects_.clear();
}

void Writer::close() {
  if (!decided_.empty()) deeds_.take(group_, std::exchange(decided_, {}));
}

Timestamp Writer::next_refreshing() const {
  if (plan_.tiers.empty() || stamp_ == Timestamp::ever()) return Timestamp::never();
  return core::next_refreshing(plan_, stamp_ - microseconds(1));
}

Result<Timestamp> Writer::next_due() {
  KOI_LET(const store::Due* next, customers_.next_timer(Timestamp::never()));
  return next ? next->due : Timestamp::never();
}

}  // namespace koi::durable
