#include "serve/links.h"

#include <utility>

namespace koi::serve {

namespace {
constexpr std::uint64_t most_known = 500'000;  // in memory; then it begins anew
}

std::string_view StoredLinks::find(std::string_view key) {
  if (const std::string_view known = known_->find(key); !known.empty()) return known;
  auto found = identifiers_.find(key);
  if (!found) {
    if (!error_) error_ = std::move(found).error();
    return {};
  }
  if (!*found) return {};
  found_ = **std::move(found);
  if (known_->size() >= most_known) known_.emplace();
  known_->link(key, found_);
  return found_;
}

void StoredLinks::link(std::string_view key, std::string_view customer) {
  if (error_) return;
  if (auto linked = identifiers_.link(key, customer); !linked) error_ = std::move(linked).error();
}

Result<void> StoredLinks::commit() {
  auto committed = identifiers_.commit();
  if (!error_ && !committed) error_ = std::move(committed).error();
  if (!error_) return {};
  known_.emplace();
  return *std::exchange(error_, std::nullopt);
}

}  // namespace koi::serve
