// A small plan made by hand for this module's tests: two events, every kind of field.
#pragma once

#include "plan/plan.h"

namespace koi::runtime {

// customer { name: text? private  phone: phone? private  identify by phone, wechat_openid }
// event purchase "购买" { order: text  amount "金额": money  sku: text?  count: int = 1
//   weight: number?  gift: bool?  day: date?  at: instant?  clock: time?  wait: duration?
//   mood: enum(good "好", bad)?  tags: list of text?  link: url?  mail: email?  invite: code? }
// event register { name: text?  phone: phone?  age: int? }, which sets name (private) and, for the
// test of secrecy, makes it of age too.
inline plan::Plan small_plan() {
  plan::Plan plan;
  Schema& schema = plan.schema;
  schema.identifiers = {"phone", "wechat_openid"};
  const auto optional = [](Kind kind, TextKind text = TextKind::Plain) {
    return Type{.kind = kind, .optional = true, .text = text};
  };
  schema.attributes = {
      {.symbol = {"time_zone", ""}, .type = optional(Kind::Text)},
      {.symbol = {"language", ""}, .type = optional(Kind::Text)},
      {.symbol = {"stage", ""}, .type = optional(Kind::Text)},
      {.symbol = {"name", "姓名"}, .type = optional(Kind::Text), .is_private = true},
      {.symbol = {"phone", "手机"},
       .type = optional(Kind::Text, TextKind::Phone),
       .is_private = true,
       .identifier = IdentifierId::of(0)},
  };
  schema.enumerations = {{.values = {{"good", "好"}, {"bad", ""}}}};
  schema.events = engine_events();

  EventType purchase;
  purchase.symbol = {"purchase", "购买"};
  const auto add = [&](const char* name, Type type, const char* alias = "", Value fallback = {}) {
    purchase.fields.push_back({.symbol = {name, alias}, .type = type, .fallback = fallback});
  };
  add("order", {.kind = Kind::Text});
  add("amount", {.kind = Kind::Money}, "金额");
  add("sku", optional(Kind::Text));
  add("count", {.kind = Kind::Int}, "", Value::integer(1));
  add("weight", optional(Kind::Number));
  add("gift", optional(Kind::Bool));
  add("day", optional(Kind::Date));
  add("at", optional(Kind::Instant));
  add("clock", optional(Kind::Time));
  add("wait", optional(Kind::Duration));
  Type mood = optional(Kind::Enum);
  mood.enumeration = EnumId::of(0);
  add("mood", mood);
  Type tags = optional(Kind::List);
  tags.element = Kind::Text;
  add("tags", tags);
  add("link", optional(Kind::Text, TextKind::Url));
  add("mail", optional(Kind::Text, TextKind::Email));
  add("invite", optional(Kind::Text, TextKind::Code));
  schema.events.push_back(purchase);

  EventType registered;
  registered.symbol = {"register", "注册"};
  registered.fields.push_back({.symbol = {"name", ""}, .type = optional(Kind::Text)});
  registered.fields.push_back({.symbol = {"phone", ""},
                               .type = optional(Kind::Text, TextKind::Phone),
                               .links = IdentifierId::of(0)});
  registered.fields.push_back({.symbol = {"age", ""}, .type = optional(Kind::Int)});
  schema.events.push_back(registered);
  schema.index();

  plan.policy.zone = &utc();
  plan.reactions.resize(schema.events.size());
  plan.nodes.push_back({plan::Op::Field, Kind::Int, 2, {}, {}});
  plan.reactions.back().sets.push_back({AttributeId::of(3), plan::NodeId::of(0)});
  plan.watches_of_attribute.resize(schema.attributes.size());
  return plan;
}

}  // namespace koi::runtime
