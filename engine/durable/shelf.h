// Shelf: a group's accounts beyond memory, as its last checkpoint has them.
#pragma once

#include <string>
#include <string_view>

#include "core/accounts.h"
#include "store/store.h"

namespace koi::durable {

class StoreShelf final : public core::Shelf {
 public:
  // The store must outlive it.
  StoreShelf(const store::Store& store, store::Group group) : store_(store), group_(group) {}
  Result<std::string> read(std::string_view key) const override {
    return store_.shared(group_, key);
  }

 private:
  const store::Store& store_;
  store::Group group_;
};

}  // namespace koi::durable
