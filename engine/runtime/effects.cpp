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
  member(R"(,"campaign":)", plan_.campaigns[effect.campaign.index()].symbol.name);
  member(R"(,"action":)", name_of(effect.action));
  if (effect.content)
    member(R"(,"name":)", plan_.contents[effect.content.index()].name);
  else if (effect.attribute)
    member(R"(,"name":)", plan_.schema[effect.attribute].symbol.name);
  if (effect.channel) member(R"(,"channel":)", plan_.channels[effect.channel.index()].symbol.name);
  out += R"(,"entry":")";
  append_hex(out, effect.entry);
  out += R"(","key":")";
  append_hex(out, effect.key);
  out += '"';
  if (effect.action == core::Action::Refuse) {
    member(R"(,"of":)", name_of(effect.of));
    member(R"(,"reason":)", name_of(effect.reason));
  }
  if (effect.action == core::Action::Set) {
    out += R"(,"value":)";
    append_value(out, plan_.schema, plan_.schema[effect.attribute].type, effect.value);
  }
  const plan::Campaign& campaign = plan_.campaigns[effect.campaign.index()];
  if (campaign.closed)
    member(R"(,"version":)", plan::full_name_of(campaign).substr(campaign.symbol.name.size() + 1));
  out += "}\n";
}

}  // namespace koi::runtime
