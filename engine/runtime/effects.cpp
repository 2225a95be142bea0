#include "runtime/effects.h"

#include "base/json.h"

namespace koi::runtime {

namespace {

void append_hex(std::string& out, Hash128 hash) {
  constexpr std::string_view digits = "0123456789abcdef";
  for (const std::uint64_t half : {hash.high, hash.low})
    for (int shift = 60; shift >= 0; shift -= 4) out.push_back(digits[(half >> shift) & 15]);
}

}  // namespace

void append_value(std::string& out, const Schema& schema, const Type& type, const Value& value) {
  switch (value.kind()) {
    case Kind::Missing: out += "null"; return;
    case Kind::Bool: out += value.as_bool() ? "true" : "false"; return;
    case Kind::Int: out += std::to_string(value.raw()); return;
    case Kind::Number: out += to_string(value.as_number()); return;
    case Kind::Money:
      out += '"' + scaled_to_string(value.raw(), schema.currency_decimals) + '"';
      return;
    case Kind::Text: append_json_string(out, value.as_text()); return;
    case Kind::Time: out += '"' + to_string(value.as_time()) + '"'; return;
    case Kind::Date: out += '"' + to_string(value.as_date()) + '"'; return;
    case Kind::Instant: out += '"' + to_string(value.as_instant(), utc()) + '"'; return;
    case Kind::Duration: out += '"' + to_string(value.as_duration()) + '"'; return;
    case Kind::Enum: {
      const auto& names = schema.enumerations[type.enumeration.index()].values;
      append_json_string(out, names[static_cast<std::size_t>(value.raw())].name);
      return;
    }
    case Kind::List: {
      out += '[';
      bool first = true;
      for (const Value& element : value.as_list()) {
        if (!first) out += ',';
        first = false;
        append_value(out, schema, type, element);
      }
      out += ']';
      return;
    }
  }
}

void append_data(std::string& out, const plan::Plan& plan, const core::Effect& effect) {
  const plan::Call* const call =
      effect.action == core::Action::Call
          ? &std::get<plan::Call>(plan.campaigns[effect.campaign.index()].steps[effect.step])
          : nullptr;
  const EventType* const event = call ? nullptr : &plan.schema[effect.event];
  out += '{';
  for (std::size_t i = 0; i < effect.fields.size(); ++i) {
    if (effect.fields[i].is_missing() && event) continue;
    if (out.back() != '{') out += ',';
    append_json_string(out, call ? call->fields[i].name : event->fields[i].symbol.name);
    out += ':';
    append_value(out, plan.schema, call ? call->fields[i].type : event->fields[i].type,
                 effect.fields[i]);
  }
  out += '}';
}

void EffectLines::append_time(std::string& out, Timestamp at) {
  if (at != time_) {
    time_text_ = to_string(at, *plan_.policy.zone);
    time_ = at;
  }
  out += time_text_;
}

void EffectLines::append(std::string& out, std::string_view customer, const core::Effect& effect) {
  const auto member = [&](std::string_view key, std::string_view text) {
    out += key;
    append_json_string(out, text);
  };
  out += R"({"time":")";
  append_time(out, effect.time);
  member(R"(","customer":)", customer);
  // A referral gives by itself; whoever claims in vain does so under no campaign.
  const core::Gift* gift = effect.gift.get();
  std::string_view campaign;
  if (effect.campaign)
    campaign = plan_.campaigns[effect.campaign.index()].symbol.name;
  else if (gift && gift->referral)
    campaign = plan_.referrals[gift->referral.index()].symbol.name;
  member(R"(,"campaign":)", campaign);
  member(R"(,"action":)", core::name_of(effect.action));
  if (const std::string_view name = name_of(effect); !name.empty()) member(R"(,"name":)", name);
  if (effect.channel) member(R"(,"channel":)", plan_.channels[effect.channel.index()].symbol.name);
  out += R"(,"entry":")";
  append_hex(out, effect.entry);
  out += R"(","key":")";
  append_hex(out, effect.key);
  out += '"';
  if (effect.action == core::Action::Refuse) {
    member(R"(,"of":)", core::name_of(effect.of));
    member(R"(,"reason":)", core::name_of(effect.reason));
  }
  if (effect.action == core::Action::Leave && effect.reason != core::Reason::None)
    member(R"(,"reason":)", core::name_of(effect.reason));
  if (gift && !gift->amount.is_missing()) {
    const std::int64_t amount = gift->amount.raw();
    member(R"(,"amount":)", gift->amount.kind() == Kind::Money
                                ? scaled_to_string(amount, plan_.schema.currency_decimals)
                                : std::to_string(amount));
  }
  if (gift && !gift->code.empty()) member(R"(,"code":)", gift->code);
  if (gift && !gift->prize.empty()) member(R"(,"prize":)", gift->prize);
  if (effect.action == core::Action::Set) {
    out += R"(,"value":)";
    append_value(out, plan_.schema, plan_.schema[effect.attribute].type, effect.value);
  }
  if (effect.action == core::Action::Reply) member(R"(,"to":)", effect.text->reply_to);
  if (effect.action == core::Action::Notify) {
    member(R"(,"text":)", effect.text->body);
    if (effect.not_after != Timestamp::never())
      member(R"(,"by":)", to_string(effect.not_after, *plan_.policy.zone));
  }
  if (effect.action == core::Action::Emit || effect.action == core::Action::Call) {
    out += R"(,"data":)";
    append_data(out, plan_, effect);
  }
  if (effect.campaign) {
    const plan::Campaign& from = plan_.campaigns[effect.campaign.index()];
    if (from.closed)
      member(R"(,"version":)", plan::full_name_of(from).substr(from.symbol.name.size() + 1));
  }
  out += "}\n";
}

// Of what the effect is about; nothing where that is its campaign.
std::string_view EffectLines::name_of(const core::Effect& effect) const {
  if (effect.content) return plan_.contents[effect.content.index()].name;
  if (effect.attribute) return plan_.schema[effect.attribute].symbol.name;
  if (effect.event) return plan_.schema[effect.event].symbol.name;
  if (effect.team) return plan_.teams[effect.team.index()].name;
  if (effect.webhook) return plan_.webhooks[effect.webhook.index()].name;
  if (effect.arm) return plan_.campaigns[effect.campaign.index()].arms[effect.arm.index()].name;
  if (const core::Gift* gift = effect.gift.get()) {
    if (gift->incentive) return plan_.incentives[gift->incentive.index()].symbol.name;
    if (gift->referral) return plan_.referrals[gift->referral.index()].symbol.name;
    return {};  // of a code that nobody has
  }
  return effect.value.kind() == Kind::Text ? effect.value.as_text() : std::string_view();
}

}  // namespace koi::runtime
