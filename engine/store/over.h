// Over: a journal and a store over others, to which they hand everything on: for whoever changes
// one thing of it, counts it or lets it fail.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "store/journal.h"
#include "store/store.h"

namespace koi::store {

class JournalOver : public Journal {
 public:
  // `beneath` must outlive it.
  explicit JournalOver(Journal& beneath) : beneath_(beneath) {}

  Result<Epoch> take(Group group) override { return beneath_.take(group); }
  Result<std::vector<Position>> append(std::span<const Appended> batches) override {
    return beneath_.append(batches);
  }
  Result<std::vector<Position>> write(std::span<const Appended> batches) override {
    return beneath_.write(batches);
  }
  Result<void> sync() override { return beneath_.sync(); }
  Result<std::vector<Read>> read(Group group, Position from, std::size_t limit) const override {
    return beneath_.read(group, from, limit);
  }
  Result<Position> last(Group group) const override { return beneath_.last(group); }
  Result<Hash128> chain(Group group, Position position) const override {
    return beneath_.chain(group, position);
  }
  Result<void> set_aside(Group group, Epoch epoch, SetAside what) override {
    return beneath_.set_aside(group, epoch, what);
  }
  Result<std::vector<SetAside>> set_aside(Group group) const override {
    return beneath_.set_aside(group);
  }
  Result<void> drop(Group group, Epoch epoch, Position before) override {
    return beneath_.drop(group, epoch, before);
  }

 private:
  Journal& beneath_;
};

class StoreOver : public Store {
 public:
  // `beneath` must outlive it.
  explicit StoreOver(Store& beneath) : beneath_(&beneath) {}

  Result<Epoch> take(Group group) override { return beneath_->take(group); }
  Result<std::optional<std::string>> load(Partition partition,
                                          std::string_view customer) const override {
    return beneath_->load(partition, customer);
  }
  Result<std::vector<std::optional<std::string>>> load_all(
      std::span<const Key> customers) const override {
    return beneath_->load_all(customers);
  }
  using Store::checkpoint;
  Result<void> checkpoint(const Checkpoint& what, const Pieces& changed) override {
    return beneath_->checkpoint(what, changed);
  }
  Result<std::string> kept(Group group) const override { return beneath_->kept(group); }
  Result<std::string> shared(Group group, std::string_view key) const override {
    return beneath_->shared(group, key);
  }
  Result<std::vector<Shared>> shared_behind(Group group, std::string_view after,
                                            std::size_t limit) const override {
    return beneath_->shared_behind(group, after, limit);
  }
  Result<std::vector<std::string>> layouts(Group group) const override {
    return beneath_->layouts(group);
  }
  Result<Position> position(Group group) const override { return beneath_->position(group); }
  Result<std::vector<Due>> due(Group group, Timestamp before, std::size_t limit,
                               const std::optional<Due>& after) const override {
    return beneath_->due(group, before, limit, after);
  }
  Result<std::vector<Saved>> scan(Partition partition, std::string_view after,
                                  std::size_t limit) const override {
    return beneath_->scan(partition, after, limit);
  }

 protected:
  // Goes on over another store; nobody may be at work on either.
  void become(Store& beneath) { beneath_ = &beneath; }

 private:
  Store* beneath_;
};

}  // namespace koi::store
