// Followed: a store that can say what was written since it was last asked, for who reads all of it
// while others write. Everything else goes to the store beneath.
#pragma once

#include <mutex>
#include <string>
#include <vector>

#include "store/over.h"

namespace koi::deploy {

class Followed final : public store::StoreOver {
 public:
  // `store` must outlive it, or what it becomes.
  Followed(store::Store& store, store::Groups groups) : StoreOver(store), written_(groups.count) {}

  using StoreOver::become;

  // Begins to note what is written; what was before is forgotten.
  void follow();
  void stop_following();
  struct Customer {
    Partition partition = 0;
    std::string id;
    friend auto operator<=>(const Customer&, const Customer&) = default;
  };
  struct Written {
    std::vector<Customer> customers;
    std::vector<std::string> shared;  // by key
    std::size_t size() const { return customers.size() + shared.size(); }
  };
  // Each once, in order, by group; from here on it counts as not written. What is written while
  // this is called is among these or the next ones.
  std::vector<Written> written();

  using StoreOver::checkpoint;
  Result<void> checkpoint(const store::Checkpoint& what, const store::Pieces& changed) override;

 private:
  std::mutex mutex_;
  bool is_following_ = false;
  std::vector<Written> written_;  // by group; some more than once
};

}  // namespace koi::deploy
