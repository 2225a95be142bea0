// Index: what of a plan an event, or a change of the customer, concerns. Made once for a plan,
// immutable, swapped whole with it; shared between threads.
//
// Two ways to find it:
//   - An event of a type meets many conditions, of which few hold: triggers that it may begin, the
//     `where` of metrics (conditions.h). What a customer's journeys listen to is few of many.
//   - A condition over the customer (segments, `leave when`, who is meant by a schedule) stands as
//     it is until something that it reads changes (reads.h) or its next flip comes.
#pragma once

#include <vector>

#include "match/conditions.h"
#include "match/reads.h"
#include "plan/plan.h"

namespace koi::match {

class Index {
 public:
  Index();
  Index(const Index&);
  Index(Index&&) noexcept;
  Index& operator=(const Index&);
  Index& operator=(Index&&) noexcept;
  ~Index();
  // The plan is not kept. Sets of more than `rows_above` conjunctions get rows; tests may want them
  // for few.
  static Index build(const plan::Plan& plan, std::size_t rows_above = Conditions::loop_at_most);

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

  // Whom an event may concern of those who are under way in a campaign: by their goal, what they
  // leave by, the other parts of their trigger, what they wait for.
  class Listening {
   public:
    bool may_concern(plan::CampaignId campaign) const {
      const std::uint32_t* const range = first_ + campaign.index();
      return range[0] != range[1] && sieve_.lets_through(range[0], range[1]);
    }

   private:
    friend class Index;
    Listening(Conditions::Sieve sieve, const std::uint32_t* first) : sieve_(sieve), first_(first) {}
    Conditions::Sieve sieve_;
    const std::uint32_t* first_;  // by campaign, its first listener; one more at the end
  };
  Listening listening(EventTypeId type, std::span<const Value> fields) const {
    const OfType& of_type = of_type_[type.index()];
    return {of_type.listeners.sieve(fields), of_type.first_listener.data()};
  }

  const Sources& sources() const { return sources_; }
  // The watches that this change may turn, ascending; those that read them too.
  std::span<const plan::WatchId> watches_of(SourceId source) const {
    return watches_of_[source.index()];
  }
  // What the conditions read that a campaign is left by.
  std::span<const SourceId> left_by(plan::CampaignId campaign) const {
    return left_by_[campaign.index()];
  }
  // Positions in the plan's schedules: whose condition reads it.
  std::span<const std::uint32_t> schedules_of(SourceId source) const {
    return schedules_of_[source.index()];
  }
  // Positions in the plan's schedules that come at the same instants.
  const Lists<std::uint32_t>& equal_schedules() const { return equal_schedules_; }

  std::size_t bytes() const;

 private:
  struct OfType {
    Conditions begins, accumulators, logs, listeners;
    std::vector<std::uint32_t> first_listener;
  };
  void add_listeners(const plan::Plan& plan, std::size_t rows_above);
  void add_reads(const plan::Plan& plan);

  std::vector<OfType> of_type_;
  Sources sources_;
  Lists<plan::WatchId> watches_of_;
  Lists<SourceId> left_by_;
  Lists<std::uint32_t> schedules_of_, equal_schedules_;
};

}  // namespace koi::match
