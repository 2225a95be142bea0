// Walk: a group's customers one after another, each carried from one plan to another, in
// checkpoints of some thousand at the position where the group stands. Each checkpoint says how far
// the walk has come, so that one that was broken off goes on there.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "core/codec.h"
#include "deploy/carry.h"
#include "store/store.h"

namespace koi::deploy {

// How far a walk has come. Part of what the group keeps (durable::Kept::walk).
struct Mark {
  std::uint64_t turn = 0;  // of the deployment's history: which walk this is
  bool is_over = false;
  Partition partition = 0;  // of the last customer who was walked …
  std::string customer;     // … and his id; empty: none yet
  Carried carried;
  friend bool operator==(const Mark&, const Mark&) = default;
};
std::string encode(const Mark& mark);
Result<Mark> decode_mark(std::string_view bytes);  // error "corrupt"

// From the bytes of one plan to those of another.
class Carrier {
 public:
  // All must outlive it. `complete` is what else a state has before it is carried; none: nothing.
  Carrier(const plan::Plan& from, const plan::Plan& to, const Carry& carry, Timestamp now,
          std::function<Result<void>(core::State&)> complete)
      : from_(from), to_(to), carry_(carry), now_(now), complete_(std::move(complete)) {}

  // The layouts that the states may have. Error "corrupt".
  Result<void> learn(const std::vector<std::string>& layouts);
  std::string layout() const { return to_.layout(); }

  // The customer as he is to be written. Error "corrupt", and those of `complete`.
  Result<store::Saved> operator()(const store::Saved& saved, Carried& counts) const;

 private:
  core::Codec from_, to_;
  const Carry& carry_;
  Timestamp now_;
  std::function<Result<void>(core::State&)> complete_;
};

struct WalkRules {
  std::size_t customers = 5000;              // in one checkpoint, at most …
  std::size_t bytes = std::size_t{8} << 20;  // … and about so many bytes of them
  std::size_t piece = 1024;                  // read at once
};

struct Walk {
  store::Store& store;
  store::Groups groups;
  store::Group group = 0;
  store::Epoch epoch = 0;
  const plan::Plan& from;
  const plan::Plan& to;
  const Carry& carry;
  Timestamp now;
  WalkRules rules;
  // What else the customer's state has before it is carried; none: nothing.
  std::function<Result<void>(core::State&)> complete;
  // Told after each checkpoint of how many customers were walked since the last.
  std::function<void(std::uint64_t)> walked;
};

// Walks from where the group's mark says, if it is of this turn, else from the first customer.
// Gives all that was carried, before a break too. Errors are the store's, and "corrupt".
Result<Carried> walk(const Walk& what, std::uint64_t turn);

}  // namespace koi::deploy
