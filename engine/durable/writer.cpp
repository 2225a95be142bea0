#include "durable/writer.h"

#include <algorithm>
#include <utility>

#include "core/decide.h"
#include "core/gate.h"
#include "core/ranks.h"

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

Writer::Writer(const plan::Plan& plan, const match::Index& index, const store::Store& store,
               store::Group group, std::uint64_t budget, Deeds& deeds)
    : plan_(plan),
      waking_{index},
      group_(group),
      gives_(gives(plan)),
      accounts_budget_(gives_ ? budget / share_of_accounts : 0),
      customers_(plan, store, group, budget - accounts_budget_),
      shelf_(store, group),
      accounts_(plan),
      deeds_(deeds) {
  if (gives_) accounts_.keep_on(shelf_, accounts_budget_ / 4 / bytes_of_thing);
}

// --- Checkpoints --------------------------------------------------------------------------------

std::vector<store::Shared> Writer::freeze_shared() {
  std::vector<store::Shared> shared;
  for (core::Accounts::Change& each : accounts_.freeze())
    shared.push_back({std::move(each.key), std::move(each.bytes)});
  return shared;
}

void Writer::committed() {
  customers_.committed();
  accounts_.committed();
}

void Writer::failed(std::span<const Changed> frozen) {
  customers_.failed(frozen);
  accounts_.failed();
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
      KOI_LET(const core::Standing standing, apply(++position, item.partition, item.given));
      // What nobody waits for is nobody's to be told.
      std::shared_ptr<const core::Answer> call;
      if (auto answer = accounts_.take_answer())
        call = std::make_shared<const core::Answer>(*std::move(answer));
      if (item.request) item.request->answer(item.number, {standing, position, std::move(call)});
    }
  }
  close();
  for_each_request(batch, [](Request& request, std::size_t inputs) { request.finish(inputs); });
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
  find_borders();
  accounts_.decide_by(opening.rules);
  return fire_timers(opening);
}

// --- What crashes -------------------------------------------------------------------------------

namespace {

// Tells the watch, while it lives, what is being stepped.
class Watched {
 public:
  Watched(CrashWatch* watch, store::Group group, store::SetAside what)
      : watch_(watch), group_(group) {
    if (watch_) watch_->stepping(group_, what);
  }
  ~Watched() {
    if (watch_) watch_->rests(group_);
  }
  Watched(const Watched&) = delete;

 private:
  CrashWatch* watch_;
  store::Group group_;
};

store::SetAside timers_of(const store::Due& timer, store::Position position) {
  return {position, store::place_of(timer.partition, timer.customer) + 1};
}

}  // namespace

bool Writer::is_set_aside(store::SetAside what) const {
  return !set_aside_.empty() && std::binary_search(set_aside_.begin(), set_aside_.end(), what);
}

// Nothing comes of it, but that it counts as seen (it is acknowledged when it comes again), and
// that a refusal is one.
Result<void> Writer::pass_over(Partition partition, const Given& given) {
  if (const auto* event = std::get_if<Event>(&given)) {
    KOI_LET(core::State * state, customers_.of(partition, customer_of(given)));
    keep_for_ranks(*state, stamp_, Overdue::Stays);
    Event past = *event;
    past.time = std::min(past.time, stamp_);
    core::pass_over(plan_, *state, past);
    if (event->type == type_of(EngineEvent::Unsubscribed)) withdraw(*state);
    customers_.changed();
  } else if (const auto* came = std::get_if<ReceiptFor>(&given)) {
    deeds_.settled(group_, *came);
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

// Before something of after `up_to` changes him. Timers of his that were due before a border and
// had no turn yet have it first, where they may.
void Writer::keep_for_ranks(core::State& state, Timestamp up_to, Overdue overdue) {
  for (const Border& border : borders_) {
    if (border.at > up_to) return;
    const plan::Tier& tier = plan_.tiers[border.tier];
    if (core::is_taken(tier, state, border.at)) continue;
    if (overdue == Overdue::Fires && core::next_due(state) < border.at)
      core::decide(plan_, state, core::Tick{border.at, false}, effects_, &waking_, accounts());
    core::take(plan_, tier, state, border.at);
  }
}

// INVARIANT: timers fire in the order of (due, customer); a replay depends on it.
Result<void> Writer::fire_timers(const Opening& opening) {
  for (std::uint32_t fired = 0; fired < opening.timers; ++fired) {
    KOI_LET(const store::Due* next, customers_.next_timer(opening.stamp));
    if (!next) return {};
    const store::Due timer = *next;
    const store::SetAside name = timers_of(timer, position_);
    const Watched watched(watch_, group_, name);
    KOI_LET(core::State * state, customers_.of(timer.partition, timer.customer));
    const bool passes = is_set_aside(name);
    keep_for_ranks(*state, passes ? opening.stamp : timer.due, Overdue::Stays);
    if (passes)
      core::pass_over_due(*state, opening.stamp);
    else
      core::decide(plan_, *state, core::Tick{timer.due, true}, effects_, &waking_, accounts());
    hand_on(*state, position_, timer.partition);
    customers_.changed();
    KOI_TRY(deliver_messages(position_));
  }
  return {};
}

Result<core::Standing> Writer::apply(store::Position position, Partition partition,
                                     const Given& given) {
  position_ = position;
  const Watched watched(watch_, group_, {position, 0});
  if (!is_set_aside({position, 0})) return take(position, partition, given);
  KOI_TRY(pass_over(partition, given));
  return core::Standing::Applied;
}

Result<core::Standing> Writer::take(store::Position position, Partition partition,
                                    const Given& given) {
  if (const auto* attempt = std::get_if<AttemptFor>(&given)) {
    deeds_.attempted(group_, attempt->key);
    return core::Standing::Applied;
  }
  if (const auto* call = std::get_if<core::Call>(&given)) return take(position, *call);
  const auto* event = std::get_if<Event>(&given);
  if (event && is_beyond_ids(*event, stamp_, plan_.policy)) return core::Standing::TooLate;
  KOI_LET(core::State * state, customers_.of(partition, customer_of(given)));
  keep_for_ranks(*state, stamp_, Overdue::Fires);
  core::Standing standing{};
  if (event) {
    if (event->time <= stamp_) {
      standing = core::decide(plan_, *state, *event, effects_, &waking_, accounts());
    } else {  // or it would fire the future
      Event now = *event;
      now.time = stamp_;
      standing = core::decide(plan_, *state, now, effects_, &waking_, accounts());
    }
  } else {
    ReceiptFor came = std::get<ReceiptFor>(given);
    came.receipt.time = stamp_;
    standing = core::decide(plan_, *state, came.receipt, effects_, &waking_, accounts());
    deeds_.settled(group_, came);
  }
  hand_on(*state, position, partition);
  // Behind what was due before it and has been decided just now.
  if (event && event->type == type_of(EngineEvent::Unsubscribed)) withdraw(*state);
  // A receipt that nobody waits for has fired what was due before it.
  if (standing == core::Standing::Duplicate && event)
    customers_.unchanged();
  else
    customers_.changed();
  KOI_TRY(deliver_messages(position));
  return standing;
}

// Of whoever holds the code: who that is, is found here.
Result<core::Standing> Writer::take(store::Position position, core::Call call) {
  call.time = stamp_;
  if (call.kind == core::Call::Kind::Stock && gives_) {  // nobody's turn
    core::Answer answer = core::stock(accounts_, call);
    if (accounts_.fault()) return *accounts_.fault();
    accounts_.answer(std::move(answer));
    return core::Standing::Applied;
  }
  const std::string* const whom = gives_ ? core::whom(accounts_, call) : nullptr;
  if (accounts_.fault()) return *accounts_.fault();
  if (!whom) {
    core::Answer nobody;
    nobody.reason = core::Reason::UnknownCode;
    accounts_.answer(std::move(nobody));
    return core::Standing::Applied;
  }
  const std::string customer = *whom;
  const Partition partition = partition_of(customer);
  KOI_LET(core::State * state, customers_.of(partition, customer));
  keep_for_ranks(*state, stamp_, Overdue::Fires);
  const core::Standing standing = core::decide(plan_, *state, call, effects_, &waking_, &accounts_);
  hand_on(*state, position, partition);
  if (standing == core::Standing::Duplicate)
    customers_.unchanged();
  else
    customers_.changed();
  KOI_TRY(deliver_messages(position));
  return standing;
}

Result<core::Answer> Writer::validate(const core::Call& call) {
  core::Answer answer;
  answer.reason = core::Reason::UnknownCode;
  const std::string* const whom = gives_ ? core::whom(accounts_, call) : nullptr;
  if (accounts_.fault()) return *accounts_.fault();
  if (!whom) return answer;
  const std::string customer = *whom;
  KOI_LET(const core::State* state, customers_.of(partition_of(customer), customer));
  answer = core::validate(plan_, *state, accounts_, call);
  customers_.unchanged();
  if (accounts_.fault()) return *accounts_.fault();
  return answer;
}

// What a turn tells other customers, right after the input that caused it, and what follows from
// that. Bounded: messages that answer each other come to an end (core).
Result<void> Writer::deliver_messages(store::Position position) {
  if (!gives_) return {};
  if (accounts_.fault()) return *accounts_.fault();
  for (const core::Message& message : accounts_.take_messages()) {
    const Partition partition = partition_of(message.to);
    KOI_LET(core::State * state, customers_.of(partition, message.to));
    keep_for_ranks(*state, stamp_, Overdue::Fires);
    core::decide(plan_, *state, message, effects_, &waking_, &accounts_);
    hand_on(*state, position, partition);
    customers_.changed();
    KOI_TRY(deliver_messages(position));
  }
  return {};
}

// What was decided for him and must not reach him any more, wherever it has come to.
void Writer::withdraw(const core::State& state) {
  for (Deed& deed : decided_) {
    if (deed.customer != state.id || deed.effect.action != core::Action::Send) continue;
    const plan::Campaign& campaign = plan_.campaigns[deed.effect.campaign.index()];
    if (core::has_refused(state, campaign.campaign_class, deed.effect.channel)) deed.wanted = false;
  }
  deeds_.refused(group_, state);
}

void Writer::hand_on(core::State& state, store::Position position, Partition partition) {
  for (core::Effect& effect : effects_)
    decided_.push_back({position, partition, state.id, std::move(effect), true});
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
