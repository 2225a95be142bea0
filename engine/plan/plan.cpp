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

std::uint32_t share_of(const Plan& plan, std::string_view customer) {
  const std::uint64_t chance =
      HashInput().text("canary").number(plan.canary).text(customer).hash64(plan.seed);
  return static_cast<std::uint32_t>((chance >> 32) * 1'000'000 >> 32);
}

bool takes_entries_of(const Plan& plan, const Campaign& campaign, std::string_view customer) {
  if (campaign.takes_from == 0 && campaign.takes_to == 1'000'000) return true;
  if (!takes_entries(campaign)) return false;
  const std::uint32_t share = share_of(plan, customer);
  return share >= campaign.takes_from && share < campaign.takes_to;
}

Plan::Plan() = default;
Plan::Plan(const Plan&) = default;
Plan::Plan(Plan&&) noexcept = default;
Plan& Plan::operator=(const Plan&) = default;
Plan& Plan::operator=(Plan&&) noexcept = default;
Plan::~Plan() = default;

bool Plan::has_competition() const {
  for (const Budget& budget : budgets)
    if (budget.amount != unlimited) return true;
  for (const Limit& limit : limits)
    if (limit.by) return true;
  if (!referrals.empty()) return true;
  for (const Incentive& incentive : incentives) {
    if (const auto* packet = std::get_if<RedPacket>(&incentive.what))
      if (packet->how == RedPacket::How::Group) return true;
    if (std::holds_alternative<Coupon>(incentive.what)) return true;  // codes are numbered
    if (std::holds_alternative<PrizeDraw>(incentive.what)) return true;
  }
  return false;
}

}  // namespace koi::plan
