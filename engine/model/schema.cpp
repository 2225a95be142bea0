#include "model/schema.h"

namespace koi {

namespace {

Type optional_text() { return {.kind = Kind::Text, .optional = true}; }

Field text_field(const char* name, const char* alias) {
  return {.symbol = {name, alias}, .type = optional_text(), .fallback = {}, .links = {}};
}

EventType message_event(const char* name, const char* alias) {
  return {.symbol = {name, alias},
          .fields = {text_field("content", "内容"), text_field("channel", "渠道"),
                     text_field("campaign", "活动")},
          .made_by_engine = true};
}

EventType consent_event(const char* name, const char* alias) {
  EventType type = message_event(name, alias);
  type.fields.push_back(text_field("purpose", "用途"));
  return type;
}

EventType incentive_event(const char* name, const char* alias) {
  Field amount = text_field("amount", "金额");
  amount.type = {.kind = Kind::Money, .optional = true};
  return {.symbol = {name, alias},
          .fields = {text_field("incentive", "权益"), amount, text_field("code", "券码"),
                     text_field("campaign", "活动")},
          .made_by_engine = true};
}

EventType membership_event(const char* name, const char* alias) {
  return {.symbol = {name, alias},
          .fields = {text_field("segment", "人群"), text_field("campaign", "活动")},
          .made_by_engine = true};
}

}  // namespace

std::vector<EventType> engine_events() {
  EventType joined{.symbol = {"joined", "加入"},
                   .fields = {text_field("code", "邀请码")},
                   .made_by_engine = true};
  EventType called{.symbol = {"called", "被调用"},
                   .fields = {text_field("campaign", "活动")},
                   .made_by_engine = true};
  Field left = text_field("left", "剩余");
  left.type = {.kind = Kind::Int, .optional = true};
  EventType running_low{.symbol = {"running_low", "即将发完"},
                        .fields = {text_field("incentive", "权益"), left},
                        .made_by_engine = true};
  std::vector<EventType> events{
      message_event("delivered", "送达"),
      message_event("opened", "打开"),
      message_event("clicked", "点击"),
      message_event("replied", "答复"),
      message_event("bounced", "退回"),
      message_event("failed", "失败"),
      consent_event("unsubscribed", "退订"),
      consent_event("consented", "已同意"),
      incentive_event("given", "已发放"),
      incentive_event("claimed", "已领取"),
      incentive_event("lapsed", "已失效"),
      incentive_event("redeemed", "已核销"),
      incentive_event("reward_failed", "发放失败"),
      joined,
      membership_event("entered", "已进入"),
      membership_event("left", "已退出"),
      called,
      incentive_event("shared_out", "分完"),
      running_low,
  };
  return events;
}

EventTypeId Schema::find_event(std::string_view name_or_alias) const {
  const auto found = event_by_name.find(name_or_alias);
  return found == event_by_name.end() ? EventTypeId::none() : found->second;
}

IdentifierId Schema::find_identifier(std::string_view name) const {
  for (std::size_t i = 0; i < identifiers.size(); ++i)
    if (identifiers[i] == name) return IdentifierId::of(i);
  return IdentifierId::none();
}

void Schema::index() {
  event_by_name.clear();
  for (std::size_t i = 0; i < events.size(); ++i) {
    if (events[i].is_inner) continue;
    event_by_name.emplace(events[i].symbol.name, EventTypeId::of(i));
    if (!events[i].symbol.alias.empty())
      event_by_name.emplace(events[i].symbol.alias, EventTypeId::of(i));
  }
}

}  // namespace koi
