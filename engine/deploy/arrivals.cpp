#include "deploy/arrivals.h"

#include <algorithm>
#include <utility>

namespace koi::deploy {

Arrivals::Arrivals(store::Groups groups)
    : at_(groups.count, At::Work), wanted_(groups.count), called_(groups.count, false) {}

void Arrivals::stored(store::Group from, store::Group to, std::uint64_t up_to) {
  const std::lock_guard lock(mutex_);
  stored_[{from, to}] = up_to;
}

std::uint64_t Arrivals::stored(store::Group from, store::Group to) const {
  const std::lock_guard lock(mutex_);
  const auto found = stored_.find({from, to});
  return found == stored_.end() ? 0 : found->second;
}

void Arrivals::put(std::vector<durable::Letter> letters) {
  if (letters.empty()) return;
  const std::lock_guard lock(mutex_);
  for (durable::Letter& each : letters) {
    const auto known = stored_.find({each.from, each.to});
    if (known != stored_.end() && each.number <= known->second) continue;
    letters_.insert_or_assign(Name{each.from, each.to, each.number}, std::move(each));
  }
  changed_.notify_all();
}

std::optional<durable::Letter> Arrivals::take(store::Group to, const Wanted& wanted) {
  const std::lock_guard lock(mutex_);
  auto taken = letters_.extract(Name{wanted.from, to, wanted.number});
  if (taken.empty()) return std::nullopt;
  return std::move(taken.mapped());
}

bool Arrivals::all_rest() const {
  return std::all_of(at_.begin(), at_.end(), [](At each) { return each == At::Rest; });
}

// Is it at work, or will it be when its thread wakes?
bool Arrivals::may_go_on(store::Group group) const {
  const Wanted& wanted = wanted_[group];
  switch (at_[group]) {
    case At::Work: return true;
    case At::Wait: return letters_.contains(Name{wanted.from, group, wanted.number});
    case At::Rest: return called_[group];
  }
  return false;
}

bool Arrivals::wait_for(store::Group own, const Wanted& wanted) {
  std::unique_lock lock(mutex_);
  at_[own] = At::Wait;
  wanted_[own] = wanted;
  changed_.notify_all();  // who waits for it looks whether anybody goes on
  for (;;) {
    if (is_broken_off_) return false;
    if (may_go_on(own)) break;
    if (at_[wanted.from] == At::Rest && !called_[wanted.from]) {
      called_[wanted.from] = true;  // for what it has written since it came to its end
      changed_.notify_all();
    }
    bool does_anybody = false;
    for (std::size_t group = 0; group < at_.size(); ++group)
      does_anybody = does_anybody || may_go_on(static_cast<store::Group>(group));
    if (!does_anybody) return false;  // each waits for another one
    changed_.wait(lock);
  }
  at_[own] = At::Work;
  return true;
}

bool Arrivals::rest(store::Group own) {
  std::unique_lock lock(mutex_);
  at_[own] = At::Rest;
  changed_.notify_all();
  changed_.wait(lock, [&] { return called_[own] || is_broken_off_ || all_rest(); });
  const bool is_called = called_[own] && !is_broken_off_;
  called_[own] = false;
  if (is_called) at_[own] = At::Work;
  return is_called;
}

bool Arrivals::is_broken_off() const {
  const std::lock_guard lock(mutex_);
  return is_broken_off_;
}

void Arrivals::break_off() {
  const std::lock_guard lock(mutex_);
  is_broken_off_ = true;
  changed_.notify_all();
}

}  // namespace koi::deploy
