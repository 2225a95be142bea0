// Reads: what of a customer a condition looks at, so that what changes finds the conditions that it
// may turn, and no other is asked. The reverse index that incremental view maintenance lives on;
// what time alone turns is found by its instant (core/evaluate.h, next_flip).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "plan/plan.h"

namespace koi::match {

// One thing of a customer that events and steps change: an attribute, an accumulator, a log, a
// watch, all his consents, all his identifiers, all that he was given. Numbered densely over one
// plan.
using SourceId = Id<struct SourceTag>;

class Sources {
 public:
  Sources() = default;
  explicit Sources(const plan::Plan& plan)
      : accumulators_(plan.schema.attributes.size()),
        logs_(accumulators_ + plan.accumulators.size()),
        watches_(logs_ + plan.logs.size()),
        consents_(watches_ + plan.watches.size()) {}

  SourceId of(AttributeId id) const { return SourceId::of(id.index()); }
  SourceId of(plan::AccumulatorId id) const { return SourceId::of(accumulators_ + id.index()); }
  SourceId of(plan::LogId id) const { return SourceId::of(logs_ + id.index()); }
  SourceId of(plan::WatchId id) const { return SourceId::of(watches_ + id.index()); }
  SourceId consents() const { return SourceId::of(consents_); }
  SourceId identifiers() const { return SourceId::of(consents_ + 1); }
  SourceId grants() const { return SourceId::of(consents_ + 2); }
  std::size_t size() const { return consents_ + 3; }

 private:
  std::size_t accumulators_ = 0, logs_ = 0, watches_ = 0, consents_ = 0;
};

// What the condition reads, ascending. The event at hand, a campaign's frame and what never changes
// are no sources. A metric by the customer's clock reads his time zone too.
std::vector<SourceId> reads_of(const plan::Plan& plan, const Sources& sources, plan::NodeId node);

// Lists of Ts one behind the other, by number.
template <class T>
class Lists {
 public:
  Lists() = default;
  explicit Lists(const std::vector<std::vector<T>>& lists) {
    begins_.reserve(lists.size() + 1);
    for (const auto& list : lists) {
      begins_.push_back(static_cast<std::uint32_t>(items_.size()));
      items_.insert(items_.end(), list.begin(), list.end());
    }
    begins_.push_back(static_cast<std::uint32_t>(items_.size()));
    items_.shrink_to_fit();
  }
  std::span<const T> operator[](std::size_t i) const {
    return std::span(items_).subspan(begins_[i], begins_[i + 1] - begins_[i]);
  }
  std::size_t size() const { return begins_.empty() ? 0 : begins_.size() - 1; }
  std::size_t bytes() const {
    return items_.capacity() * sizeof(T) + begins_.capacity() * sizeof(std::uint32_t);
  }

 private:
  std::vector<std::uint32_t> begins_;
  std::vector<T> items_;
};

// What has changed of one customer while one input is decided. Used again for the next: belongs to
// one thread.
class Changes {
 public:
  void begin(const Sources& sources) {
    if (at_.size() < sources.size()) at_.resize(sources.size());
    list_.clear();
    if (++epoch_ != 0) return;
    epoch_ = 1;
    at_.assign(at_.size(), 0);
  }
  void note(SourceId source) {
    if (at_[source.index()] == epoch_) return;
    at_[source.index()] = epoch_;
    list_.push_back(source);
  }
  bool any_of(std::span<const SourceId> sources) const {
    if (list_.empty()) return false;
    for (const SourceId source : sources)
      if (at_[source.index()] == epoch_) return true;
    return false;
  }
  // In the order in which they were noted, each once.
  std::span<const SourceId> all() const { return list_; }

 private:
  std::uint32_t epoch_ = 0;
  std::vector<std::uint32_t> at_;
  std::vector<SourceId> list_;
};

}  // namespace koi::match
