#include "deploy/followed.h"

#include <algorithm>
#include <utility>

namespace koi::deploy {

void Followed::follow() {
  const std::lock_guard lock(mutex_);
  for (auto& group : written_) group.clear();
  is_following_ = true;
}

void Followed::stop_following() {
  const std::lock_guard lock(mutex_);
  is_following_ = false;
  for (auto& group : written_) group = {};
}

std::vector<std::vector<Followed::Written>> Followed::written() {
  std::vector<std::vector<Written>> taken(written_.size());
  {
    const std::lock_guard lock(mutex_);
    taken.swap(written_);
  }
  for (auto& group : taken) {
    std::sort(group.begin(), group.end());
    group.erase(std::unique(group.begin(), group.end()), group.end());
  }
  return taken;
}

// Noted once they are durable, also where the following began meanwhile: who reads a state that is
// not noted yet finds it noted the next time.
Result<void> Followed::checkpoint(const store::Checkpoint& what, const store::Pieces& changed) {
  std::vector<Written> noted;
  const store::Pieces noting = [&]() -> Result<std::span<const store::Saved>> {
    KOI_LET(const auto piece, changed());
    for (const store::Saved& saved : piece) noted.push_back({saved.partition, saved.customer});
    return piece;
  };
  KOI_TRY(store_->checkpoint(what, noting));
  const std::lock_guard lock(mutex_);
  if (!is_following_) return {};
  auto& group = written_.at(what.group);
  std::move(noted.begin(), noted.end(), std::back_inserter(group));
  return {};
}

}  // namespace koi::deploy
