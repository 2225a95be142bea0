// Followed: a store that can say what was written since it was last asked, for who reads all of it
// while others write. Everything else goes to the store beneath.
#pragma once

#include <mutex>
#include <string>
#include <vector>

#include "store/store.h"

namespace koi::deploy {

class Followed final : public store::Store {
 public:
  // `store` must outlive it, or what it becomes.
  Followed(store::Store& store, store::Groups groups) : store_(&store), written_(groups.count) {}

  // Goes on over another store; nobody may be at work on either.
  void become(store::Store& store) { store_ = &store; }

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

  using Store::checkpoint;
  Result<store::Epoch> take(store::Group group) override { return store_->take(group); }
  Result<std::optional<std::string>> load(Partition partition,
                                          std::string_view customer) const override {
    return store_->load(partition, customer);
  }
  Result<std::vector<std::optional<std::string>>> load_all(
      std::span<const store::Key> customers) const override {
    return store_->load_all(customers);
  }
  Result<void> checkpoint(const store::Checkpoint& what, const store::Pieces& changed) override;
  Result<std::string> kept(store::Group group) const override { return store_->kept(group); }
  Result<std::string> shared(store::Group group, std::string_view key) const override {
    return store_->shared(group, key);
  }
  Result<std::vector<store::Shared>> shared_behind(store::Group group, std::string_view after,
                                                   std::size_t limit) const override {
    return store_->shared_behind(group, after, limit);
  }
  Result<std::vector<std::string>> layouts(store::Group group) const override {
    return store_->layouts(group);
  }
  Result<store::Position> position(store::Group group) const override {
    return store_->position(group);
  }
  Result<std::vector<store::Due>> due(store::Group group, Timestamp before, std::size_t limit,
                                      const std::optional<store::Due>& after) const override {
    return store_->due(group, before, limit, after);
  }
  Result<std::vector<store::Saved>> scan(Partition partition, std::string_view after,
                                         std::size_t limit) const override {
    return store_->scan(partition, after, limit);
  }

 private:
  store::Store* store_;
  std::mutex mutex_;
  bool is_following_ = false;
  std::vector<Written> written_;  // by group; some more than once
};

}  // namespace koi::deploy
