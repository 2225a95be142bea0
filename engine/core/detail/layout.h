// Layout: what the slots of a plan's states are called, as bytes, and where another plan finds
// them. Private to core: codec.h says what for.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "plan/plan.h"

namespace koi::core {

// Where each slot of a layout is in the plan at hand; none where it is not.
struct Layout {
  struct Attribute {
    AttributeId id;
    Value fallback;  // what the layout's plan gives to new customers
  };
  struct Accumulator {
    plan::AccumulatorId id;
    plan::Aggregate aggregate = plan::Aggregate::Count;
  };
  struct Log {
    plan::LogId id;
    std::size_t columns = 0;
  };
  struct EventType {
    EventTypeId id;
    std::size_t fields = 0;
  };
  std::vector<IdentifierId> identifiers;
  std::vector<Attribute> attributes;
  std::vector<Accumulator> accumulators;
  std::vector<Log> logs;
  std::vector<plan::WatchId> watches;
  std::vector<EventType> events;
  std::vector<plan::ChannelId> channels;
  std::vector<plan::CampaignId> campaigns;
  std::vector<plan::IncentiveId> incentives;
  std::vector<plan::ReferralId> referrals;
};

// The plan's own, as bytes.
std::string layout_of(const plan::Plan& plan);
// What states call it.
std::uint64_t number_of_layout(std::string_view layout);
// Error "corrupt" if the bytes are no layout.
Result<Layout> read_layout(const plan::Plan& plan, std::string_view layout);

}  // namespace koi::core
