// Writer, between groups: letters that come in, turns that wait for what other groups lend, what is
// set aside of both, and callers who are answered later than their batch (letters.h, waiting.h).
#include <algorithm>
#include <utility>

#include "core/unread.h"
#include "durable/detail/watched.h"
#include "durable/writer.h"

namespace koi::durable {

Result<void> Writer::take(store::Position position, const LetterFrom& letter) {
  if (!letters_.takes(letter.from, letter.number)) return {};
  if (const std::string_view to = customer_of(letter);
      !to.empty() && groups_.group_of(partition_of(to)) != group_)
    return Error{"corrupt", "the journal of group " + std::to_string(group_) +
                                " has a letter to a customer of another one at position " +
                                std::to_string(position)};
  if (const auto* loan = std::get_if<core::Loan>(&letter.told)) {
    if (accounts_.is_shared()) accounts_.take(letter.from, *loan);
    return {};
  }
  if (const auto* meeting = std::get_if<Meeting>(&letter.told)) return answer(*meeting);
  if (const auto* verdict = std::get_if<Verdict>(&letter.told)) return tell(*verdict);
  if (const auto* arrival = std::get_if<Arrival>(&letter.told))
    return accept(letter.from, *arrival);
  if (const auto* arrived = std::get_if<Arrived>(&letter.told)) return take(*arrived);
  if (const auto* passed = std::get_if<Passed>(&letter.told)) return take(position, *passed);
  if (const auto* refused = std::get_if<Refused>(&letter.told)) return take(*refused);
  if (!gives_) return {};
  LetterFrom now = letter;
  now.number = 0;  // it is taken, also where it waits
  auto& message = std::get<core::Message>(now.told);
  message.time = stamp_;
  const Partition partition = partition_of(message.to);
  const Given given(std::move(now));
  const auto taken = take_turn({partition, customer_of(given), position, stamp_, &given});
  return taken ? Result<void>() : taken.error();
}

// --- Waiting ------------------------------------------------------------------------------------

Result<void> Writer::wait(const Turn& turn, std::vector<core::Lack> lacks) {
  const bool is_first = !waiting_.waits(turn.customer);
  Waited what{turn.stamp, turn.partition, std::string(turn.customer), {}, turn.due, {}};
  if (turn.given) {
    what.given = *turn.given;
    if (std::holds_alternative<core::Call>(*turn.given) && caller_) {
      what.caller = kept(*std::exchange(caller_, std::nullopt));
    }
  }
  Turn waits = turn;
  waits.waited = waiting_.add(std::move(what), rules_);
  if (is_first) {
    customers_.hold(turn.partition, turn.customer);
    if (!lacks.empty()) accounts_.ask(lacks);
    waiting_.asks(turn.customer, lacks);
  }
  deeds_.waits(group_, pause_of(waits, lacks));
  return heed_refusals(turn.partition, turn.customer);
}

// Never a message after a refusal: what would reach him is withdrawn while his refusal waits, and
// not only when it is decided.
Result<void> Writer::heed_refusals(Partition partition, std::string_view customer) {
  const std::vector<const Event*> refusals = waiting_.refusals(customer);
  if (refusals.empty()) return {};
  KOI_LET(const core::State* state, customers_.of(partition, customer));
  core::State refused = *state;
  customers_.unchanged();
  for (const Event* each : refusals) {
    Event past = *each;
    past.time = std::min(past.time, stamp_);
    core::pass_over(plan_, refused, past);
  }
  withdraw(refused);
  return {};
}

// Whatever an input has led to between groups: what is to be told leaves, and those who have been
// answered have their turns, before anybody else has his.
Result<void> Writer::go_on() {
  if (groups_.count == 1) return {};
  for (;;) {
    while (!ready_.empty()) {
      const std::string customer = std::move(ready_.front());
      ready_.pop_front();
      if (waiting_.waits(customer)) KOI_TRY(try_again(customer));
    }
    if (accounts_.fault()) return *accounts_.fault();
    for (auto& [to, loan] : accounts_.take_loans()) letters_.write(to, rules_, std::move(loan));
    const auto answered = accounts_.take_answered();
    for (const auto& [account, up_to, is_short] : answered)
      for (std::string& customer : waiting_.answered(account, up_to, is_short))
        ready_.push_back(std::move(customer));
    if (ready_.empty()) break;
  }
  if (accounts_.is_shared()) tell_callers({});
  return {};
}

namespace {

// The nth of the customer's inputs that are tried at one position: as timers are named there, and
// none like another.
store::SetAside tried_again(store::Position position, const Waited& what, std::uint64_t nth) {
  constexpr std::uint64_t apart = 0x9e3779b97f4a7c15;
  return {position, store::place_of(what.partition, what.customer) + 1 + nth * apart};
}

}  // namespace

Writer::Turn Writer::turn_of(const Waited& what) const {
  return {what.partition, what.customer, position_, what.stamp, what.given ? &*what.given : nullptr,
          what.due,       what.number};
}

Pause Writer::pause_of(const Turn& turn, std::span<const core::Lack> lacks) const {
  return {turn.customer, turn.waited, position_, stamp_, turn.stamp, turn.given, turn.due, lacks};
}

// All that he waits with, in order, as far as the group has what it needs.
Result<void> Writer::try_again(const std::string& customer) {
  const Partition partition = waiting_.first(customer).partition;
  for (std::uint64_t nth = 0; waiting_.waits(customer); ++nth) {
    if (waiting_.asked_about(customer) || awaited_by(customer)) return {};
    const std::vector<core::Lack>& open = waiting_.lacks(customer);
    if (std::any_of(open.begin(), open.end(),
                    [](const core::Lack& each) { return !each.answered; }))
      return {};  // what it has asked for is not answered yet
    const Waited& what = waiting_.first(customer);
    const store::SetAside name = tried_again(position_, what, nth);
    const Watched watched(watch_, group_, name, store::SetAside{position_, 0});
    if (is_set_aside(name)) {
      deeds_.goes_on(group_, pause_of(turn_of(what), {}));
      KOI_TRY(pass_over(what));
      waiting_.take(customer);
      continue;
    }
    if (const auto* event = what.given ? std::get_if<Event>(&*what.given) : nullptr;
        event && !event->met.empty()) {
      KOI_LET(const bool goes_on, meet(customer));
      if (!goes_on) return {};
      continue;
    }
    std::vector<core::Lack> asked = waiting_.lacks(customer), lacks;
    if (what.caller.request) caller_ = what.caller;
    const Turn turn = turn_of(what);
    KOI_LET(const core::Standing standing, try_turn(turn, asked, lacks));
    if (!lacks.empty()) {
      caller_.reset();
      accounts_.ask(lacks);
      deeds_.waits(group_, pause_of(turn, lacks));
      std::move(lacks.begin(), lacks.end(), std::back_inserter(asked));
      waiting_.asks(customer, std::move(asked));
      return {};
    }
    deeds_.goes_on(group_, pause_of(turn, {}));
    const Waited decided = waiting_.take(customer);
    if (const auto* call = decided.given ? std::get_if<core::Call>(&*decided.given) : nullptr)
      tell_callers(core::key_of(plan_, customer, call->id), standing);
    KOI_TRY(heed_refusals(partition, customer));
  }
  KOI_TRY(customers_.let_go(partition, customer));
  return serve(customer);
}

// --- What crashes --------------------------------------------------------------------------------

Result<void> Writer::pass_over(const Waited& what) {
  if (what.caller.request) answer(what.caller, nullptr);
  if (what.given) {
    if (const auto* letter = std::get_if<LetterFrom>(&*what.given))
      if (const auto* arrival = std::get_if<Arrival>(&letter->told))
        return pass_over(what.customer, letter->from, *arrival);
    // What a receipt says of its delivery was said when it came.
    if (std::holds_alternative<ReceiptFor>(*what.given)) return {};
    return pass_over(*what.given);
  }
  KOI_LET(core::State * state, customers_.of(what.partition, what.customer));
  keep_for_ranks(*state, stamp_, Overdue::Stays);
  core::pass_over_due(*state, stamp_);
  customers_.changed();
  return {};
}

// Whoever waits for an answer is told that nothing comes of it.
Result<void> Writer::pass_over(const core::Message& message) {
  if (!gives_) return {};
  std::string customer = message.to;
  KOI_LET(core::State * state, bring(customer));
  if (state == nullptr) {
    core::Message on = message;
    on.to = customer;
    letters_.write(groups_.group_of(partition_of(customer)), rules_, std::move(on));
    return {};
  }
  for (core::Message& each : core::leave_unread(*state, message)) accounts_.send(std::move(each));
  customers_.changed();
  if (const auto place = callers_.find(message.key); place != callers_.end()) {
    for (const Caller& each : place->second) answer(each, nullptr, each.standing);
    callers_.erase(place);
  }
  return deliver_messages(position_);
}

// Those behind it come on; and nobody waits for it, or has lost what it brings.
Result<void> Writer::pass_over(const LetterFrom& letter) {
  const bool is_taken = letter.number == 0;  // and has waited
  if (!is_taken && !letters_.takes(letter.from, letter.number)) return {};
  if (const auto* message = std::get_if<core::Message>(&letter.told)) return pass_over(*message);
  if (const auto* loan = std::get_if<core::Loan>(&letter.told)) {
    if (accounts_.is_shared()) accounts_.take(letter.from, *loan);
    return {};
  }
  if (const auto* meeting = std::get_if<Meeting>(&letter.told))
    return say(*meeting, Verdict::Kind::TwoPeople);
  if (const auto* verdict = std::get_if<Verdict>(&letter.told)) {
    Verdict apart = *verdict;
    if (verdict->kind != Verdict::Kind::Stays && verdict->kind != Verdict::Kind::Again)
      apart.kind = Verdict::Kind::TwoPeople;
    if (verdict->kind == Verdict::Kind::Go) {
      Verdict back{Verdict::Kind::Stays, verdict->mine, verdict->stays, verdict->number, {}};
      letters_.write(letter.from, rules_, std::move(back));
    }
    return tell(apart);
  }
  if (const auto* arrival = std::get_if<Arrival>(&letter.told))
    return accept(letter.from, *arrival);  // it is not tried before everybody else goes on
  if (const auto* arrived = std::get_if<Arrived>(&letter.told)) return take(*arrived);
  if (const auto* refused = std::get_if<Refused>(&letter.told)) return take(*refused);
  if (const auto* passed = std::get_if<Passed>(&letter.told))
    for (const Along& each : passed->inputs) KOI_TRY(pass_over(each.given));
  return {};
}

// --- Callers ------------------------------------------------------------------------------------

Caller Writer::kept(Caller caller) {
  if (!caller.is_kept) caller.request->keep();
  caller.is_kept = true;
  return caller;
}

void Writer::answer(const Caller& caller, std::shared_ptr<const core::Answer> answer,
                    core::Standing standing) {
  caller.request->answer(caller.number, {standing, caller.position, std::move(answer)});
  if (caller.is_kept) finished_.push_back({caller.request, {}});
}

// Nothing came of what he has asked, and he is told why.
void Writer::fail(const Caller& caller, const Error& error) {
  if (caller.is_kept)
    finished_.push_back({caller.request, error});
  else
    caller.request->finish(0, &error);  // with those beside it in its batch
}

// Hands out what calls were answered. The caller at hand, if there is one, has asked under that
// key: where there is no answer yet, he is kept until it comes.
void Writer::tell_callers(Hash128 at_hand, core::Standing standing) {
  for (auto& [key, said] : accounts_.take_answers()) {
    const auto shared = std::make_shared<const core::Answer>(std::move(said));
    if (caller_ && key == at_hand) {
      answer(*std::exchange(caller_, std::nullopt), shared, standing);
    } else if (const auto place = callers_.find(key); place != callers_.end()) {
      for (const Caller& each : place->second) answer(each, shared, each.standing);
      callers_.erase(place);
    }
  }
  if (!caller_) return;
  callers_[at_hand].push_back(kept(*std::exchange(caller_, std::nullopt)));
  callers_[at_hand].back().standing = standing;
}

// Those who were kept, behind the batch in which they were answered.
void Writer::finish_callers() {
  for (const auto& [request, error] : std::exchange(finished_, {}))
    request->finish(1, error ? &*error : nullptr);
}

void Writer::give_up(const Error& error) {
  for (const auto& each : std::exchange(finished_, {})) each.request->finish(1, &error);
  for (const auto& [key, callers] : std::exchange(callers_, {}))
    for (const Caller& each : callers) each.request->finish(1, &error);
  waiting_.for_each_caller(
      [&](Caller& each) { std::exchange(each, {}).request->finish(1, &error); });
}

}  // namespace koi::durable
