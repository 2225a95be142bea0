// Ahead: a deploy made ready while the live rules go on deciding. Every customer is carried over,
// into a store of the new rules' own, as of an instant that lies a little ahead; who has changed
// since is carried once more, again and again, until these are few; so is what they share. Then, at
// a border between two batches of every group, the last of them follow, and one file says that the
// new rules and the new store are live: before it the old are, whole, whatever happens, and behind
// it the new.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "deploy/deploy.h"
#include "deploy/extend.h"
#include "deploy/followed.h"
#include "deploy/link.h"
#include "deploy/patterns.h"
#include "deploy/rebuild.h"
#include "deploy/walk.h"

namespace koi::deploy {

// What it works with beside the site, whose store is `live`.
struct Beside {
  Followed& live;      // the live rules' states …
  store::Store& next;  // … and an empty store for those of the new ones
  std::string folder;  // where that is, for deployment.json; empty: its own place, in tests
  // Writes back what the writers of `live` have changed; returns when that is stored.
  std::function<Result<void>()> write_back;
  // Asked now and then, on several threads: whether to give it up (error "stopping"). May be empty.
  std::function<bool()> gives_up;
  // For so many times as long as it took to count who is under way, the instant of the deploy lies
  // ahead: about as long as carrying everybody takes.
  std::uint32_t lead = 4;
};

class Ahead {
 public:
  // Makes everything ready. Nothing is live by it, and nothing remembers it but `next` and the kept
  // bundle. `site` and all of `beside` must outlive it. Errors as deploy()'s; "full" where the disk
  // has no room for all states twice.
  static Result<std::unique_ptr<Ahead>> make(const Site& site, Beside beside, const Bundle& wanted,
                                             const Said& said, const Ways& ways);
  ~Ahead();  // takes a while where there are many customers

  // Where the states are the same under both rules, nobody is carried and `next` stays empty.
  bool carries() const { return carry_.has_value(); }
  // The instant as of which customers are carried: it should have come before the border.
  Timestamp since() const { return turn_.since; }

  // Carries over once more who and what has changed since, and gives how many these were.
  Result<std::size_t> follow();

  // The writers of `live` have stopped, and everything is written back. After an error the old
  // rules are live as they were, or (where deployment.json could not be written to its end) the
  // file says which.
  Result<Report> go_live();

 private:
  Ahead(const Site& site, Beside beside, Deployment deployment);
  Result<void> prepare(const Bundle& wanted, const Said& said, const Ways& ways);
  Result<void> build_metrics();
  Result<void> carry_all();
  Result<void> carry_group(store::Group group);
  Result<std::size_t> carry_written();
  Result<void> carry_some(store::Group group, const std::vector<Followed::Customer>& who);
  Result<void> share_all(store::Group group);
  Result<void> share_some(store::Group group, const std::vector<std::string>& keys);
  Result<void> goes_on() const;

  // What one group's customers have come to, each counted once however often he was carried.
  struct Counts {
    std::unordered_map<std::uint64_t, std::uint32_t> by_customer;  // by place; see `kinds`
    std::map<Carried, std::uint32_t> known;
    std::vector<std::pair<Carried, std::uint64_t>> kinds;  // what it is, and of how many
    void count(std::uint64_t place, const Carried& carried);
  };
  // At no position: what it stands for is said at the border.
  Result<void> save(store::Group group, std::vector<store::Saved>& carried,
                    std::span<const store::Shared> shared = {});

  const Turn& live() const { return deployment_.turns.back(); }

  const Site& site_;
  Beside beside_;
  const Bundles bundles_;
  Plans plans_{bundles_};
  Deployment deployment_;
  Turn turn_;
  const plan::Plan* from_ = nullptr;
  const plan::Plan* own_ = nullptr;  // the wanted bundle's, nothing linked
  const plan::Plan* to_ = nullptr;
  Lacking lacking_;
  std::optional<Patterns> patterns_;
  std::unique_ptr<Rebuild> rebuild_;    // where metrics lack, up to what was carried last
  std::optional<plan::Plan> extended_;  // its plan
  std::optional<Carry> carry_;
  std::deque<Carrier> carriers_;  // by group
  std::vector<store::Epoch> epochs_;
  std::vector<Counts> counts_;  // by group
  std::uint64_t rows_read_ = 0;
  std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
  std::mutex counting_;
  std::uint64_t walked_ = 0;
  bool is_live_ = false;
};

}  // namespace koi::deploy
