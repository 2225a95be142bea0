#include "durable/timers.h"

#include <iterator>
#include <utility>

namespace koi::durable {

using store::Due;

void Timers::move(Partition partition, std::string_view customer, Timestamp before, Timestamp now) {
  if (before == now) return;
  Due timer{before, partition, std::string(customer)};
  if (before != Timestamp::never() && is_near(timer)) near_.erase(timer);
  timer.due = now;
  if (now == Timestamp::never() || !is_near(timer)) return;
  near_.insert(std::move(timer));
  if (near_.size() > 4 * piece_) shorten();
}

Result<const Due*> Timers::next(Timestamp before) {
  while (near_.empty() || near_.begin()->due >= before) {
    if (all_ || (horizon_ && horizon_->due >= before)) return nullptr;
    KOI_TRY(look_further());
  }
  return &*near_.begin();
}

Result<void> Timers::look_further() {
  std::optional<Due> last;
  KOI_LET(auto stored, source_.stored(horizon_, piece_, last));
  const auto is_new = [&, from = horizon_](const Due& due) {
    return due.due != Timestamp::never() && (!from || InOrder()(*from, due));
  };
  for (Due& due : stored) near_.insert(std::move(due));
  all_ = !last;
  source_.cached([&](Due due) {
    if (is_new(due) && (!last || !InOrder()(*last, due))) near_.insert(std::move(due));
  });
  if (last) horizon_ = std::move(last);
  if (near_.size() > 4 * piece_) shorten();
  return {};
}

// What is beyond the nearest is forgotten: the customers' states have it.
void Timers::shorten() {
  const auto first_beyond = std::next(near_.begin(), static_cast<std::ptrdiff_t>(2 * piece_));
  horizon_ = *std::prev(first_beyond);
  all_ = false;
  near_.erase(first_beyond, near_.end());
}

}  // namespace koi::durable
