// Shelf: a group's accounts beyond memory, as its last checkpoint has them.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

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
  Result<std::vector<Row>> behind(std::string_view key, std::size_t most) const override {
    KOI_LET(auto stored, store_.shared_behind(group_, key, most));
    std::vector<Row> rows;
    for (store::Shared& each : stored) rows.push_back({std::move(each.key), std::move(each.bytes)});
    return rows;
  }

 private:
  const store::Store& store_;
  store::Group group_;
};

}  // namespace koi::durable
