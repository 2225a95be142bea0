#include "poison.h"

#include <algorithm>
#include <span>
#include <string>

#include "base/assert.h"
#include "base/hash.h"

namespace koi::simulator {

class Poison::Watch final : public durable::CrashWatch {
 public:
  Watch(Poison& poison, store::Groups groups, const store::Journal& journal)
      : CrashWatch(std::span(poison.marks_).first(groups.count)),
        poison_(poison),
        journal_(journal) {}

  void stepping(store::Group group, store::SetAside what) override {
    CrashWatch::stepping(group, what);
    if (!poison_.is_poison(group, what)) return;
    auto aside = journal_.set_aside(group);
    if (!aside) aside = journal_.set_aside(group);  // a fault of the disk comes once
    if (!aside || std::binary_search(aside->begin(), aside->end(), what)) return;
    ++poison_.crashes_[{group, what}];
    ++poison_.crashed_;
    has_crashed_ = true;
    crashed(group);
    throw Crashed();
  }
  // Whoever is left by the throw would rest; a process that has ended does not.
  void rests(store::Group group) override {
    if (!has_crashed_) CrashWatch::rests(group);
  }

 private:
  Poison& poison_;
  const store::Journal& journal_;
  bool has_crashed_ = false;
};

bool Poison::is_poison(store::Group group, store::SetAside what) const {
  if (rate_ == 0) return false;
  HashInput place;
  place.number(seed_).number(group).number(what.position).number(what.customer);
  return place.hash64() % rate_ == 0;
}

std::unique_ptr<durable::CrashWatch> Poison::watch(store::Groups groups,
                                                   const store::Journal& journal) {
  KOI_ASSERT(groups.count <= marks_.size());
  return std::make_unique<Watch>(*this, groups, journal);
}

void Poison::forget() {
  for (durable::CrashWatch::Mark& mark : marks_) {
    mark.position = mark.customer = 0;
    mark.state = durable::CrashWatch::Mark::Resting;
    mark.crashes = 0;
    mark.crashed_position = mark.crashed_customer = 0;
  }
}

void Poison::check(store::Group group, store::SetAside what, Record& record) const {
  const auto found = crashes_.find({group, what});
  const std::uint64_t crashes = found == crashes_.end() ? 0 : found->second;
  if (crashes < 2)
    record.breach("set aside after " + std::to_string(crashes) + " crashes: position " +
                  std::to_string(what.position) + " of group " + std::to_string(group) +
                  (what.customer == 0 ? "" : ", timers of one customer"));
}

}  // namespace koi::simulator
