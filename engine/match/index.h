// Index: which of a plan's conditions an event wakes. Made once for a plan, immutable, swapped
// whole with it; shared between threads.
#pragma once

#include <vector>

#include "match/conditions.h"
#include "plan/plan.h"

namespace koi::match {

class Index {
 public:
  Index() = default;
  // The plan is not kept.
  static Index build(const plan::Plan& plan);

  // Positions in the reaction's lists, ascending, of what this event meets the `where` of; whether
  // it is of the engine's own making is the caller's to ask. Triggers of one event are left out for
  // customers who are not in their audience now and can not come into it before their turn.
  template <Reader R, class OnHit>
  void begins(EventTypeId type, const R& reader, Scratch& scratch, OnHit&& on_hit) const {
    of_type_[type.index()].begins.match(reader, scratch, on_hit);
  }
  template <Reader R, class OnHit>
  void accumulators(EventTypeId type, const R& reader, Scratch& scratch, OnHit&& on_hit) const {
    of_type_[type.index()].accumulators.match(reader, scratch, on_hit);
  }
  template <Reader R, class OnHit>
  void logs(EventTypeId type, const R& reader, Scratch& scratch, OnHit&& on_hit) const {
    of_type_[type.index()].logs.match(reader, scratch, on_hit);
  }

  std::size_t bytes() const;

 private:
  struct OfType {
    Conditions begins, accumulators, logs;
  };
  std::vector<OfType> of_type_;
};

}  // namespace koi::match
