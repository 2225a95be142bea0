#include "durable/rows.h"

#include <utility>

namespace koi::durable {

void Rows::put(std::string key, std::string bytes) {
  changed_.insert(key);
  rows_.insert_or_assign(std::move(key), std::move(bytes));
}

void Rows::erase(const std::string& key) {
  if (rows_.erase(key) == 0) return;
  // What came and went between two checkpoints is nothing to any of them.
  if (stored_.contains(key))
    changed_.insert(key);
  else
    changed_.erase(key);
}

void Rows::freeze(std::vector<store::Shared>& into) {
  frozen_ = std::exchange(changed_, {});
  for (const std::string& key : frozen_) {
    const auto place = rows_.find(key);
    into.push_back({key, place == rows_.end() ? std::string() : place->second});
    stored_.insert(key);
  }
}

void Rows::committed() {
  for (const std::string& key : std::exchange(frozen_, {}))
    if (!rows_.contains(key) && !changed_.contains(key)) stored_.erase(key);
}

void Rows::failed() { changed_.merge(frozen_), frozen_.clear(); }

Result<bool> has_open(const store::Store& store, store::Group group) {
  for (const std::string_view prefix : {">l", "?f", "?i", "@"}) {
    KOI_LET(const auto found, store.shared_behind(group, prefix, 1));
    if (!found.empty() && found.front().key.starts_with(prefix)) return true;
  }
  return false;
}

}  // namespace koi::durable
