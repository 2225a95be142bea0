#include "deploy/followed.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace koi::deploy {

namespace {

template <class List>
void keep_each_once(List& list) {
  std::sort(list.begin(), list.end());
  list.erase(std::unique(list.begin(), list.end()), list.end());
}

template <class List>
void append(List& list, List&& more) {
  list.insert(list.end(), std::move_iterator(more.begin()), std::move_iterator(more.end()));
}

}  // namespace

void Followed::follow() {
  const std::lock_guard lock(mutex_);
  for (Written& group : written_) group = {};
  is_following_ = true;
}

void Followed::stop_following() {
  const std::lock_guard lock(mutex_);
  is_following_ = false;
  for (Written& group : written_) group = {};
}

std::vector<Followed::Written> Followed::written() {
  std::vector<Written> taken(written_.size());
  {
    const std::lock_guard lock(mutex_);
    taken.swap(written_);
  }
  for (Written& group : taken) {
    keep_each_once(group.customers);
    keep_each_once(group.shared);
  }
  return taken;
}

// Noted once it is durable, also where the following began meanwhile: who reads what is not noted
// yet finds it noted the next time.
Result<void> Followed::checkpoint(const store::Checkpoint& what, const store::Pieces& changed) {
  Written noted;
  for (const store::Shared& each : what.shared) noted.shared.push_back(each.key);
  const store::Pieces noting = [&]() -> Result<std::span<const store::Saved>> {
    KOI_LET(const auto piece, changed());
    for (const store::Saved& saved : piece)
      noted.customers.push_back({saved.partition, saved.customer});
    return piece;
  };
  KOI_TRY(StoreOver::checkpoint(what, noting));
  const std::lock_guard lock(mutex_);
  if (!is_following_) return {};
  Written& group = written_.at(what.group);
  append(group.customers, std::move(noted.customers));
  append(group.shared, std::move(noted.shared));
  return {};
}

}  // namespace koi::deploy
