#include "durable/waiting.h"

#include <algorithm>
#include <utility>

#include "model/codec.h"

namespace koi::durable {

namespace {

enum class WaitingRow : char { Asked = 'a', First = 'f', Input = 'i', Meeting = 'm', Last = 'n' };

std::string key_of(WaitingRow what, std::string_view rest = {}) {
  return std::string{waiting_mark, static_cast<char>(what)}.append(rest);
}

// Big endian, and those below zero under a mark of their own, so that keys are in the order of the
// numbers.
std::string key_of_input(std::int64_t number) {
  const auto plain = static_cast<std::uint64_t>(number);
  std::string bytes;
  for (int shift = 56; shift >= 0; shift -= 8) bytes.push_back(static_cast<char>(plain >> shift));
  return key_of(number < 0 ? WaitingRow::First : WaitingRow::Input, bytes);
}

std::string key_of_meeting(std::string_view customer) {
  return key_of(WaitingRow::Meeting, customer);
}

std::string key_of_asked(std::string_view customer) { return key_of(WaitingRow::Asked, customer); }

std::string encode(const Waited& what, std::uint64_t rules) {
  ByteWriter out;
  out.fixed64(rules);
  out.time(what.stamp);
  out.unsigned_(what.partition);
  out.text(what.customer);
  out.boolean(what.given.has_value());
  if (!what.given) {
    out.time(what.due);
    return out.take();
  }
  return out.take() + durable::encode(*what.given);
}

std::string encode(const std::vector<core::Lack>& lacks) {
  ByteWriter out;
  out.unsigned_(lacks.size());
  for (const core::Lack& each : lacks) core::write(out, each);
  return out.take();
}

Error damaged_waiting() {
  return {"corrupt", "what a checkpoint keeps of the inputs that wait is damaged"};
}

Result<Waited> decode(std::string_view bytes, const plan::Plan& plan, std::uint64_t rules) {
  ByteReader in(bytes);
  const std::uint64_t own = in.fixed64();
  if (in.ok() && own != rules)
    return Error{"rules",
                 "inputs wait that other rules have accepted and not decided yet; start with those "
                 "once more and stop cleanly, then start with these"};
  Waited what;
  what.stamp = in.time();
  const std::uint64_t partition = in.unsigned_();
  what.partition = static_cast<Partition>(partition);
  what.customer = in.text();
  const bool is_given = in.boolean();
  if (!is_given) what.due = in.time();
  if (!in.ok() || partition >= partition_count || what.customer.empty()) return damaged_waiting();
  if (!is_given) return in.at_end() ? Result<Waited>(std::move(what)) : damaged_waiting();
  KOI_LET(Input input, decode_input(plan, in.rest()));
  if (std::holds_alternative<Opening>(input)) return damaged_waiting();
  what.given = given_of(std::move(input));
  return what;
}

bool read(ByteReader& in, std::vector<core::Lack>& lacks) {
  for (std::size_t left = in.count(4); left > 0; --left)
    if (!core::read(in, lacks.emplace_back())) return false;
  return in.ok() && in.at_end() && !lacks.empty();
}

}  // namespace

namespace {
const Event* event_of(const Waited& what) {
  return what.given ? std::get_if<Event>(&*what.given) : nullptr;
}
bool is_refusal(const Waited& what) {
  const Event* event = event_of(what);
  return event && event->type == type_of(EngineEvent::Unsubscribed);
}
}  // namespace

Result<bool> Waiting::learn(std::string_view key, std::string_view bytes, const plan::Plan& plan,
                            std::uint64_t rules) {
  if (key.empty() || key.front() != waiting_mark) return false;
  if (key.size() < 2) return damaged_waiting();
  const std::string_view rest = key.substr(2);
  ByteReader in(bytes);
  switch (static_cast<WaitingRow>(key[1])) {
    case WaitingRow::Asked:  // stands before the inputs
      if (rest.empty() || !read(in, waiters_[std::string(rest)].lacks)) return damaged_waiting();
      return true;
    case WaitingRow::First:
    case WaitingRow::Input: {
      if (rest.size() != 8) return damaged_waiting();
      std::uint64_t plain = 0;
      for (const char each : rest) plain = plain << 8 | static_cast<std::uint8_t>(each);
      const auto number = static_cast<std::int64_t>(plain);
      if ((number < 0) != (static_cast<WaitingRow>(key[1]) == WaitingRow::First))
        return damaged_waiting();
      KOI_LET(Waited what, decode(bytes, plan, rules));
      what.number = number;
      Waiter& waiter = waiters_[what.customer];
      stamps_.emplace(what.stamp, number);
      ++inputs_;
      bytes_ += bytes.size();
      last_ = std::max(last_, number);
      first_ = std::min(first_, number);
      const std::string customer = what.customer;
      count(waiter, what);
      waiter.inputs.push_back({bytes.size(), std::move(what)});
      if (waiter.inputs.size() == 1) index(customer, waiter);
      return true;
    }
    case WaitingRow::Meeting: {
      Asked asked;
      asked.number = in.unsigned_();
      asked.is_resting = in.boolean();
      if (rest.empty() || !in.ok() || !in.at_end()) return damaged_waiting();
      waiters_[std::string(rest)].asked = asked;
      return true;
    }
    case WaitingRow::Last:
      last_ = static_cast<std::int64_t>(in.unsigned_());
      if (!rest.empty() || !in.ok() || !in.at_end()) return damaged_waiting();
      return true;
  }
  return damaged_waiting();
}

Result<void> Waiting::learnt() const {
  for (const auto& [customer, waiter] : waiters_)
    if (waiter.inputs.empty()) return damaged_waiting();
  return {};
}

void Waiting::count(Waiter& waiter, const Waited& what) {
  waiter.refusals += is_refusal(what);
  if (const Event* event = event_of(what)) waiter.ids.insert(event->id_hash());
}

bool Waiting::waits(std::string_view customer, std::uint64_t event_id) const {
  const auto place = waiters_.find(customer);
  return place != waiters_.end() && place->second.ids.contains(event_id);
}

Timestamp Waiting::oldest() const {
  return stamps_.empty() ? Timestamp::never() : stamps_.begin()->first;
}

void Waiting::for_each_customer(const std::function<void(const Waited& first)>& each) const {
  for (const auto& [customer, waiter] : waiters_) each(waiter.inputs.front().what);
}

void Waiting::for_each_caller(const std::function<void(Caller&)>& each) {
  for (auto& [customer, waiter] : waiters_)
    for (Kept& input : waiter.inputs)
      if (input.what.caller.request) each(input.what.caller);
}

Waiting::Waiter& Waiting::keep(Waited what, std::uint64_t rules, std::int64_t number) {
  what.number = number;
  std::string bytes = encode(what, rules);
  const std::size_t size = bytes.size();
  rows_.put(key_of_input(number), std::move(bytes));
  stamps_.emplace(what.stamp, number);
  ++inputs_;
  bytes_ += size;
  Waiter& waiter = waiters_[what.customer];
  count(waiter, what);
  Kept made{size, std::move(what)};
  if (number < 0)
    waiter.inputs.push_front(std::move(made));
  else
    waiter.inputs.push_back(std::move(made));
  return waiter;
}

std::int64_t Waiting::add(Waited what, std::uint64_t rules) {
  ByteWriter last;
  last.unsigned_(static_cast<std::uint64_t>(++last_));
  rows_.put(key_of(WaitingRow::Last), last.take());
  keep(std::move(what), rules, last_);
  return last_;
}

void Waiting::put_first(Waited what, std::uint64_t rules) {
  if (waits(what.customer)) {
    asks(what.customer, {});
    asks_about(what.customer, {});
  }
  keep(std::move(what), rules, --first_);
}

void Waiting::change(std::string_view customer, std::uint64_t rules,
                     const std::function<bool(Waited&)>& change) {
  const auto place = waiters_.find(customer);
  if (place == waiters_.end()) return;
  for (Kept& each : place->second.inputs) {
    if (!change(each.what)) continue;
    std::string bytes = encode(each.what, rules);
    bytes_ += bytes.size() - each.bytes;
    each.bytes = bytes.size();
    rows_.put(key_of_input(each.what.number), std::move(bytes));
  }
}

// --- What was asked for -------------------------------------------------------------------------

void Waiting::index(const std::string& customer, const Waiter& waiter) {
  for (const core::Lack& each : waiter.lacks)
    if (!each.answered)
      by_account_[each.account].emplace(waiter.inputs.front().what.number, customer);
}

void Waiting::unindex(const Waiter& waiter) {
  for (const core::Lack& each : waiter.lacks) {
    const auto place = by_account_.find(each.account);
    if (place == by_account_.end()) continue;
    place->second.erase(waiter.inputs.front().what.number);
    if (place->second.empty()) by_account_.erase(place);
  }
}

void Waiting::asks(std::string_view customer, std::vector<core::Lack> lacks) {
  const auto place = waiters_.find(customer);
  KOI_ASSERT(place != waiters_.end());
  Waiter& waiter = place->second;
  unindex(waiter);
  waiter.lacks = std::move(lacks);
  index(place->first, waiter);
  if (waiter.lacks.empty())
    rows_.erase(key_of_asked(customer));
  else
    rows_.put(key_of_asked(customer), encode(waiter.lacks));
}

void Waiting::asks_about(std::string_view customer, const std::optional<Asked>& asked) {
  const auto place = waiters_.find(customer);
  KOI_ASSERT(place != waiters_.end());
  if (place->second.asked && !asked) rows_.erase(key_of_meeting(customer));
  place->second.asked = asked;
  if (!asked) return;
  ByteWriter row;
  row.unsigned_(asked->number);
  row.boolean(asked->is_resting);
  rows_.put(key_of_meeting(customer), row.take());
}

std::optional<Waiting::Asked> Waiting::asked_about(std::string_view customer) const {
  const auto place = waiters_.find(customer);
  return place == waiters_.end() ? std::nullopt : place->second.asked;
}

std::vector<std::string> Waiting::answered(const std::string& account, std::uint64_t up_to,
                                           bool is_short) {
  std::vector<std::string> ready;
  const auto place = by_account_.find(account);
  if (place == by_account_.end()) return ready;
  const std::map<std::int64_t, std::string> those = place->second;
  for (const auto& [number, customer] : those) {
    std::vector<core::Lack> lacks = waiters_.find(customer)->second.lacks;
    const auto lack = std::find_if(lacks.begin(), lacks.end(), [&](const core::Lack& each) {
      return each.account == account && !each.answered;
    });
    if (lack == lacks.end() || lack->ask > up_to) continue;
    if (is_short)
      lack->answered = true;
    else
      lacks.erase(lack);
    const bool is_ready = std::all_of(lacks.begin(), lacks.end(),
                                      [](const core::Lack& each) { return each.answered; });
    asks(customer, std::move(lacks));
    if (is_ready) ready.push_back(customer);
  }
  return ready;
}

Waited& Waiting::first(std::string_view customer) {
  return waiters_.find(customer)->second.inputs.front().what;
}

const std::vector<core::Lack>& Waiting::lacks(std::string_view customer) const {
  return waiters_.find(customer)->second.lacks;
}

std::vector<const Event*> Waiting::refusals(std::string_view customer) const {
  std::vector<const Event*> found;
  const auto place = waiters_.find(customer);
  if (place == waiters_.end() || place->second.refusals == 0) return found;
  for (const Kept& input : place->second.inputs)
    if (is_refusal(input.what)) found.push_back(&std::get<Event>(*input.what.given));
  return found;
}

Waited Waiting::take(std::string_view customer) {
  asks(customer, {});
  asks_about(customer, {});
  const auto place = waiters_.find(customer);
  Kept first = std::move(place->second.inputs.front());
  place->second.inputs.pop_front();
  rows_.erase(key_of_input(first.what.number));
  stamps_.erase({first.what.stamp, first.what.number});
  --inputs_;
  bytes_ -= first.bytes;
  place->second.refusals -= is_refusal(first.what);
  if (const Event* event = event_of(first.what))
    place->second.ids.erase(place->second.ids.find(event->id_hash()));
  if (place->second.inputs.empty()) waiters_.erase(place);
  if (waiters_.empty()) {
    last_ = first_ = 0;
    rows_.erase(key_of(WaitingRow::Last));
  }
  return std::move(first.what);
}

}  // namespace koi::durable
