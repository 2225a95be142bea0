// Seams: journal and store as the engine sees them, over the real ones. Without a control they add
// nothing; with one they leave a rule of durability out.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "controls.h"
#include "plan/plan.h"
#include "store/journal.h"
#include "store/store.h"

namespace koi::simulator {

class JournalSeam final : public store::Journal {
 public:
  JournalSeam(store::Journal& real, Control control) : real_(real), control_(control) {}

  Result<store::Epoch> take(store::Group group) override { return real_.take(group); }
  Result<std::vector<store::Position>> append(std::span<const store::Appended> batches) override {
    KOI_LET(auto last, write(batches));
    KOI_TRY(sync());
    return last;
  }
  Result<std::vector<store::Position>> write(std::span<const store::Appended> batches) override;
  Result<void> sync() override {
    if (control_ == Control::AnswersBeforeTheWrite) return {};
    return real_.sync();
  }
  Result<std::vector<store::Read>> read(store::Group group, store::Position from,
                                        std::size_t limit) const override {
    KOI_TRY(write_held());
    return real_.read(group, from, limit);
  }
  Result<store::Position> last(store::Group group) const override { return real_.last(group); }
  Result<Hash128> chain(store::Group group, store::Position position) const override;
  Result<void> set_aside(store::Group group, store::Epoch epoch, store::SetAside what) override {
    if (control_ == Control::SetAsideUnwritten) return {};
    return real_.set_aside(group, epoch, what);
  }
  Result<std::vector<store::SetAside>> set_aside(store::Group group) const override {
    return real_.set_aside(group);
  }
  Result<void> drop(store::Group group, store::Epoch epoch, store::Position before) override {
    return real_.drop(group, epoch, before);
  }

 private:
  struct Held {
    store::Group group = 0;
    store::Epoch epoch = 0;
    std::vector<store::Row> rows;
  };
  Result<std::vector<store::Position>> hold(std::span<const store::Appended> batches);
  Result<void> write_held() const;

  store::Journal& real_;
  Control control_;
  mutable std::vector<Held> held_;
};

class StoreSeam final : public store::Store {
 public:
  // `peopled`: the partitions that ever had a customer, over all lives.
  StoreSeam(store::Store& real, const store::Journal& journal, store::Groups groups,
            Control control, std::set<Partition>& peopled)
      : real_(real), journal_(journal), groups_(groups), control_(control), peopled_(peopled) {}

  // From here on until the next call: whoever reads customers does so to rank them by those rules.
  void is_ranked_by(const plan::Plan* plan) { ranked_by_ = plan; }

  Result<store::Epoch> take(store::Group group) override { return real_.take(group); }
  Result<std::optional<std::string>> load(Partition partition,
                                          std::string_view customer) const override {
    return real_.load(partition, customer);
  }
  using store::Store::checkpoint;
  Result<void> checkpoint(const store::Checkpoint& what, const store::Pieces& pieces_of) override;
  Result<std::string> kept(store::Group group) const override { return real_.kept(group); }
  Result<std::string> shared(store::Group group, std::string_view key) const override {
    return real_.shared(group, key);
  }
  Result<std::vector<store::Shared>> shared_behind(store::Group group, std::string_view after,
                                                   std::size_t limit) const override {
    return real_.shared_behind(group, after, limit);
  }
  Result<std::vector<std::string>> layouts(store::Group group) const override {
    return real_.layouts(group);
  }
  Result<store::Position> position(store::Group group) const override {
    return real_.position(group);
  }
  Result<std::vector<store::Due>> due(store::Group group, Timestamp before, std::size_t limit,
                                      const std::optional<store::Due>& after) const override {
    return real_.due(group, before, limit, after);
  }
  Result<std::vector<store::Saved>> scan(Partition partition, std::string_view after,
                                         std::size_t limit) const override;

 private:
  store::Store& real_;
  const store::Journal& journal_;
  store::Groups groups_;
  Control control_;
  std::set<Partition>& peopled_;
  const plan::Plan* ranked_by_ = nullptr;
  std::map<std::string, std::string> marks_;  // as they would be: the next checkpoint has them
};

}  // namespace koi::simulator
