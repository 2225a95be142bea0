#include "plan/plan.h"

namespace koi::plan {

std::string_view name_of(CampaignClass campaign_class) {
  switch (campaign_class) {
    case CampaignClass::Marketing: return "marketing";
    case CampaignClass::Transactional: return "transactional";
    case CampaignClass::Service: return "service";
  }
  KOI_ASSERT(false);
}

bool follows_zone(const Metric& metric) {
  if (metric.aggregate == Aggregate::Streak) return true;
  switch (metric.window.kind) {
    case WindowKind::Lifetime: return false;
    case WindowKind::Trailing: return metric.window.span.months != 0;
    case WindowKind::ThisDay:
    case WindowKind::ThisWeek:
    case WindowKind::ThisMonth:
    case WindowKind::ThisYear: return true;
  }
  KOI_ASSERT(false);
}

AttributeId attribute_set_by(const Step& step) {
  if (const auto* set = std::get_if<Set>(&step)) return set->attribute;
  if (const auto* tag = std::get_if<Tag>(&step)) return tag->attribute;
  return {};
}

std::string_view name_of(ChannelClass channel_class) {
  switch (channel_class) {
    case ChannelClass::Conversation: return "conversation";
    case ChannelClass::Broadcast: return "broadcast";
    case ChannelClass::Direct: return "direct";
  }
  KOI_ASSERT(false);
}

std::string full_name_of(const Campaign& campaign) {
  if (!campaign.closed) return campaign.symbol.name;
  return campaign.symbol.name + "@" + to_hex(Hash128{campaign.version, 0}).substr(0, 16);
}

}  // namespace koi::plan
