// A shelf in memory, for core's own tests.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/accounts.h"

namespace koi::core {

class ShelfForTests final : public Shelf {
 public:
  Result<std::string> read(std::string_view key) const override {
    const auto place = rows.find(key);
    return place == rows.end() ? std::string() : place->second;
  }
  Result<std::vector<Row>> behind(std::string_view key, std::size_t most) const override {
    std::vector<Row> found;
    for (auto place = rows.upper_bound(key); place != rows.end() && found.size() < most; ++place)
      found.push_back({place->first, place->second});
    return found;
  }

  void put(std::vector<Accounts::Change> changes) {
    for (Accounts::Change& each : changes) {
      if (each.bytes.empty())
        rows.erase(each.key);
      else
        rows.insert_or_assign(std::move(each.key), std::move(each.bytes));
    }
  }
  // All that has changed, for good.
  void put(Accounts& accounts) {
    put(accounts.freeze());
    accounts.committed();
  }

  std::map<std::string, std::string, std::less<>> rows;
};

}  // namespace koi::core
