#include "plan/listing.h"

#include "plan/stretches.h"

namespace koi::plan {
namespace {

constexpr std::size_t longest_expression = 2000;

std::string_view word_of(Aggregate aggregate) {
  switch (aggregate) {
    case Aggregate::Count: return "count";
    case Aggregate::Sum: return "sum";
    case Aggregate::Average: return "average";
    case Aggregate::Min: return "min";
    case Aggregate::Max: return "max";
    case Aggregate::First: return "first";
    case Aggregate::Last: return "last";
    case Aggregate::Distinct: return "distinct";
    case Aggregate::TimeSinceLast: return "time since last";
    case Aggregate::Streak: return "streak of days with";
    case Aggregate::Ever: return "ever";
    case Aggregate::Never: return "never";
    case Aggregate::MostFrequent: return "most frequent";
    case Aggregate::Values: return "values";
  }
  KOI_ASSERT(false);
}

std::string_view sign_of(Op op) {
  switch (op) {
    case Op::And: return " and ";
    case Op::Or: return " or ";
    case Op::Equal: return " == ";
    case Op::NotEqual: return " != ";
    case Op::Less: return " < ";
    case Op::LessEqual: return " <= ";
    case Op::Greater: return " > ";
    case Op::GreaterEqual: return " >= ";
    case Op::In: return " in ";
    case Op::Contains: return " contains ";
    case Op::ContainsAny: return " contains any of ";
    case Op::Default: return " or else ";
    case Op::Add: return " + ";
    case Op::Subtract: return " - ";
    case Op::Multiply: return " * ";
    case Op::Divide: return " / ";
    case Op::Not: return "not ";
    case Op::Negate: return "-";
    case Op::ToNumber: return "number";
    case Op::Days: return "days";
    case Op::Hours: return "hours";
    case Op::Round: return "round";
    case Op::Floor: return "floor";
    case Op::Length: return "length";
    case Op::Lower: return "lower";
    case Op::IsKnown: return " is known";
    case Op::IsMissing: return " is missing";
    case Op::Constant:
    case Op::Attribute:
    case Op::Field:
    case Op::Slot:
    case Op::Metric:
    case Op::Watch:
    case Op::CustomerId:
    case Op::CustomerCreated:
    case Op::Consent:
    case Op::Audience:
    case Op::Granted:
    case Op::Join: return "";
  }
  KOI_ASSERT(false);
}

std::string_view weekday_name(int weekday) {
  constexpr std::string_view names[] = {"monday", "tuesday",  "wednesday", "thursday",
                                        "friday", "saturday", "sunday"};
  return names[weekday];
}

class Lister {
 public:
  explicit Lister(const Plan& plan) : plan_(plan) {}
  std::string list() {
    policy();
    schema();
    for (std::size_t i = 0; i < plan_.channels.size(); ++i) channel(plan_.channels[i]);
    for (const Budget& each : plan_.budgets) budget(each);
    for (const Incentive& each : plan_.incentives) incentive(each);
    for (const Referral& each : plan_.referrals) referral(each);
    metrics();
    watches();
    for (const Tier& each : plan_.tiers) tier(each);
    for (const Audience& each : plan_.audiences)
      line(0, "audience " + each.symbol.name + " by " +
                  (each.by.is_none() ? std::string("nothing")
                                     : plan_.schema.identifiers[each.by.index()]) +
                  ": " + std::to_string(each.members.size()));
    for (std::size_t i = 0; i < plan_.messages.size(); ++i) message(i);
    for (const Campaign& each : plan_.campaigns) campaign(each);
    reactions();
    return std::move(out_);
  }

  std::string expression(NodeId id, EventTypeId type = {}) const {
    std::string text;
    write(text, id, type);
    return text;
  }

 private:
  // --- Pieces ---

  std::string literal(const Value& value, EnumId enumeration = {}) const {
    switch (value.kind()) {
      case Kind::Missing: return "missing";
      case Kind::Bool: return value.as_bool() ? "yes" : "no";
      case Kind::Int: return std::to_string(value.raw());
      case Kind::Number: return to_string(value.as_number());
      case Kind::Money:
        return plan_.policy.currency_sign +
               scaled_to_string(value.raw(), plan_.schema.currency_decimals);
      case Kind::Text: return quoted(value.as_text());
      case Kind::Time: return to_string(value.as_time());
      case Kind::Date: return to_string(value.as_date());
      case Kind::Instant: return to_string(value.as_instant(), *plan_.policy.zone);
      case Kind::Duration: return to_string(value.as_duration());
      case Kind::Enum:
        if (enumeration.is_none()) return "#" + std::to_string(value.raw());
        return plan_.schema.enumerations[enumeration.index()]
            .values[static_cast<std::size_t>(value.raw())]
            .name;
      case Kind::List: {
        std::string text = "[";
        for (const Value& element : value.as_list())
          text += (text.size() > 1 ? ", " : "") + literal(element, enumeration);
        return text + "]";
      }
    }
    KOI_ASSERT(false);
  }

  static std::string quoted(std::string_view text) {
    std::string quoted = "\"";
    for (const char c : text) {
      if (c == '"' || c == '\\') quoted += '\\';
      if (c == '\n')
        quoted += "\\n";
      else
        quoted += c;
    }
    return quoted + "\"";
  }

  std::string event_name(EventTypeId type) const {
    return type.is_none() ? "any event" : plan_.schema[type].symbol.name;
  }

  std::string field_name(EventTypeId type, std::size_t field) const {
    if (field == event_time_field.index()) return "time";
    if (field == event_id_field.index()) return "id";
    if (type.is_none() || field >= plan_.schema[type].fields.size())
      return "field " + std::to_string(field);
    return plan_.schema[type].fields[field].symbol.name;
  }

  std::string metric_name(std::size_t index) const {
    const Metric& metric = plan_.metrics[index];
    if (!metric.symbol.name.empty()) return metric.symbol.name;
    return "metric " + std::to_string(index);
  }

  std::string watch_name(std::size_t index) const {
    const Watch& watch = plan_.watches[index];
    if (!watch.symbol.name.empty()) return watch.symbol.name;
    return "watch " + std::to_string(index);
  }

  // The enum whose value a node is; none where the plan does not tell.
  EnumId enum_of(NodeId id, EventTypeId type) const {
    const Node& node = plan_[id];
    if (node.op == Op::Attribute) return plan_.schema.attributes[node.index].type.enumeration;
    if (node.op == Op::Default) return enum_of(node.a, type);
    if (node.op == Op::Metric) {
      const Metric& metric = plan_.metrics[node.index];
      if (metric.field.is_none()) return {};
      return plan_.schema[metric.events.type].fields[metric.field.index()].type.enumeration;
    }
    if (node.op != Op::Field || type.is_none()) return {};
    const auto& fields = plan_.schema[type].fields;
    return node.index < fields.size() ? fields[node.index].type.enumeration : EnumId{};
  }

  void write(std::string& out, NodeId id, EventTypeId type) const {
    if (out.size() > longest_expression) {
      if (!out.ends_with("…")) out += "…";
      return;
    }
    const Node& node = plan_[id];
    EnumId enumeration;  // of a constant beside an operand that tells
    const auto operand = [&](NodeId child) {
      const Op op = plan_[child].op;
      if (op == Op::Constant) {
        out += literal(plan_.constants[plan_[child].index], enumeration);
        return;
      }
      const bool leaf = plan_[child].a.is_none() || op == Op::Days || op == Op::Hours ||
                        op == Op::Round || op == Op::Floor || op == Op::Length || op == Op::Lower ||
                        op == Op::ToNumber;
      if (!leaf) out += '(';
      write(out, child, type);
      if (!leaf) out += ')';
    };
    switch (node.op) {
      case Op::Constant: out += literal(plan_.constants[node.index]); return;
      case Op::Attribute:
        out += "customer." + plan_.schema.attributes[node.index].symbol.name;
        return;
      case Op::Field: out += field_name(type, node.index); return;
      case Op::Slot: out += "slot " + std::to_string(node.index); return;
      case Op::Metric: out += metric_name(node.index); return;
      case Op::Watch: out += "in " + watch_name(node.index); return;
      case Op::CustomerId: out += "customer.id"; return;
      case Op::CustomerCreated: out += "customer.created"; return;
      case Op::Audience: out += "in " + plan_.audiences[node.index].symbol.name; return;
      case Op::Consent: {
        const ConsentKey& key = plan_.consents[node.index];
        out += "customer.consent." + std::string(name_of(key.purpose));
        if (!key.channel.is_none()) out += "." + plan_.channels[key.channel.index()].symbol.name;
        return;
      }
      case Op::Granted: out += granted(plan_.grant_reads[node.index]); return;
      case Op::Join: out += text_of(TemplateId::of(node.index)); return;
      case Op::Not:
      case Op::Negate: out += sign_of(node.op); return operand(node.a);
      case Op::IsKnown:
      case Op::IsMissing:
        operand(node.a);
        out += sign_of(node.op);
        return;
      case Op::ToNumber:
      case Op::Days:
      case Op::Hours:
      case Op::Round:
      case Op::Floor:
      case Op::Length:
      case Op::Lower:
        out += sign_of(node.op);
        out += '(';
        write(out, node.a, type);
        out += ')';
        return;
      default:
        enumeration = enum_of(node.a, type);
        if (enumeration.is_none()) enumeration = enum_of(node.b, type);
        operand(node.a);
        out += sign_of(node.op);
        return operand(node.b);
    }
  }

  std::string granted(const GrantRead& read) const {
    const std::string& name = read.incentive.is_none()
                                  ? plan_.referrals[read.referral.index()].symbol.name
                                  : plan_.incentives[read.incentive.index()].symbol.name;
    switch (read.what) {
      case GrantRead::What::Code:
      case GrantRead::What::InviteCode: return name + ".code";
      case GrantRead::What::Amount: return name + ".amount";
      case GrantRead::What::ValidUntil: return name + ".valid_until";
      case GrantRead::What::Link:
      case GrantRead::What::InviteLink: return name + ".link";
      case GrantRead::What::InviteScene: return name + ".scene";
      case GrantRead::What::Prize: return name + ".prize";
      case GrantRead::What::Balance: return "balance of " + name;
      case GrantRead::What::Friends: return name + ".friends";
    }
    KOI_ASSERT(false);
  }

  std::string gift(IncentiveId incentive, NodeId amount) const {
    const std::string& name = plan_.incentives[incentive.index()].symbol.name;
    return amount.is_none() ? name : expression(amount) + " " + name;
  }

  std::string text_of(TemplateId id) const {
    std::string text;
    for (const auto& part : plan_.templates[id.index()].parts)
      text += part.node.is_none() ? part.literal : "{" + expression(part.node) + "}";
    return quoted(text);
  }

  std::string match(const EventMatch& events) const {
    std::string text = event_name(events.type);
    if (!events.where.is_none()) text += " where " + expression(events.where, events.type);
    return text;
  }

  std::string binding(const Binding& binding) const {
    std::string text = match(binding.match);
    std::string kept;
    for (const Capture& capture : binding.captures)
      kept += (kept.empty() ? "" : ", ") + field_name(binding.match.type, capture.field.index()) +
              " in slot " + std::to_string(capture.slot.value);
    return kept.empty() ? text : text + " keeping " + kept;
  }

  std::string type_name(const Type& type) const {
    std::string text;
    if (type.kind == Kind::Enum || (type.kind == Kind::List && type.element == Kind::Enum)) {
      text = type.kind == Kind::List ? "list of enum(" : "enum(";
      const auto& values = plan_.schema.enumerations[type.enumeration.index()].values;
      for (std::size_t i = 0; i < values.size(); ++i) text += (i == 0 ? "" : ", ") + values[i].name;
      text += ")";
    } else if (type.kind == Kind::List) {
      text = "list of " + std::string(name_of(type.element));
    } else {
      text = name_of(type.kind);
    }
    return type.optional ? text + "?" : text;
  }

  void line(int indent, const std::string& text) {
    out_.append(static_cast<std::size_t>(2 * indent), ' ').append(text) += '\n';
  }

  // --- Parts ---

  void policy() {
    const Policy& policy = plan_.policy;
    line(0, "seed " + std::to_string(plan_.seed) + ", zone " + policy.zone->name() + ", currency " +
                policy.currency + ", lateness " + to_string(policy.lateness));
    if (policy.quiet)
      line(0, "quiet " + to_string(policy.quiet->from) + " to " + to_string(policy.quiet->to) +
                  (policy.quiet->drop ? " drop" : " delay"));
    for (const Cap& cap : policy.caps) {
      std::string text = "cap ";
      text += cap.campaign_class ? std::string(name_of(*cap.campaign_class))
                                 : plan_.channels[cap.channel.index()].symbol.name;
      text += " " + std::to_string(cap.limit) + " per ";
      switch (cap.calendar) {
        case Cap::Calendar::None: text += to_string(cap.per); break;
        case Cap::Calendar::Day: text += "calendar day"; break;
        case Cap::Calendar::Week: text += "calendar week"; break;
        case Cap::Calendar::Month: text += "calendar month"; break;
        case Cap::Calendar::Year: text += "calendar year"; break;
      }
      if (cap.more > 0)
        text += ", " + std::to_string(cap.more) + " more from priority " +
                std::to_string(cap.more_from);
      line(0, text);
    }
    std::string consent;
    for (const auto each :
         {CampaignClass::Marketing, CampaignClass::Transactional, CampaignClass::Service})
      if (policy.consent_required[static_cast<std::size_t>(each)])
        consent += " " + std::string(name_of(each));
    if (!consent.empty()) line(0, "consent required for" + consent);
  }

  // The engine's own events are always the same and are left out.
  void schema() {
    for (const Attribute& attribute : plan_.schema.attributes) {
      std::string text = "attribute " + attribute.symbol.name + ": " + type_name(attribute.type);
      if (!attribute.fallback.is_missing())
        text += " = " + literal(attribute.fallback, attribute.type.enumeration);
      if (attribute.is_private) text += " private";
      if (!attribute.identifier.is_none()) text += " identifies";
      line(0, text);
    }
    for (const EventType& event : plan_.schema.events) {
      if (event.made_by_engine) continue;
      line(0, "event " + event.symbol.name + (event.to_everyone ? " to everyone" : ""));
      for (const Field& field : event.fields) {
        std::string text = field.symbol.name + ": " + type_name(field.type);
        if (!field.fallback.is_missing())
          text += " = " + literal(field.fallback, field.type.enumeration);
        if (!field.links.is_none())
          text += " links " + plan_.schema.identifiers[field.links.index()];
        line(1, text);
      }
    }
  }

  void channel(const Channel& channel) {
    std::string text =
        "channel " + channel.symbol.name + " " + std::string(name_of(channel.channel_class));
    if (channel.cost_millionths != 0)
      text += " cost " + scaled_to_string(channel.cost_millionths, 6);
    if (channel.rate_per_second != 0)
      text += " rate " + std::to_string(channel.rate_per_second) + " per second";
    if (!channel.reach_by.is_none())
      text += " reach by " + plan_.schema.identifiers[channel.reach_by.index()];
    for (const AttributeId cleared : channel.cleared_for)
      text += " cleared for " + plan_.schema[cleared].symbol.name;
    for (const Opening& opening : channel.openings)
      text += " open by " + metric_name(opening.events.index()) +
              (opening.messages == 0 ? "" : " up to " + std::to_string(opening.messages));
    line(0, text);
  }

  std::string amount(std::int64_t n, bool is_money) const {
    if (n == unlimited) return "without end";
    return is_money ? literal(Value::money(n)) : std::to_string(n);
  }
  static std::string period(const Per& per) {
    switch (per.kind) {
      case Per::Kind::Ever: return "";
      case Per::Kind::Hour: return " per hour";
      case Per::Kind::Day: return " per day";
      case Per::Kind::Week: return " per week";
      case Per::Kind::Month: return " per month";
      case Per::Kind::Year: return " per year";
      case Per::Kind::Rolling: return " per " + to_string(per.span);
    }
    KOI_ASSERT(false);
  }

  void budget(const Budget& budget) {
    line(0, "account " + budget.name + ": " + amount(budget.amount, budget.is_money) +
                period(budget.per) +
                (budget.costs ? ", and what messages cost is gone from it" : ""));
  }

  std::string limit(LimitId id) const {
    const Limit& limit = plan_.limits[id.index()];
    return "limit " + amount(limit.amount, limit.is_money) + " per " +
           (limit.by ? plan_.schema[limit.by].symbol.name : "customer") + period(limit.per);
  }

  void incentive(const Incentive& incentive) {
    std::string text;
    if (const auto* packet = std::get_if<RedPacket>(&incentive.what)) {
      text = "red packet " + incentive.symbol.name + ": ";
      if (packet->how == RedPacket::How::Group)
        text += amount(packet->total, true) + " among " + std::to_string(packet->shares) +
                (packet->by_luck ? " by luck" : " equally") + " at least " +
                amount(packet->at_least, true);
      else
        text += amount(packet->from, true) + " to " + amount(packet->to, true) + " average " +
                amount(packet->mean, true);
      if (packet->claim_within) text += " claim within " + to_string(*packet->claim_within);
      if (packet->pay_via) text += " via " + plan_.channels[packet->pay_via.index()].symbol.name;
    } else if (const auto* coupon = std::get_if<Coupon>(&incentive.what)) {
      text = "coupon " + incentive.symbol.name + ": off " +
             (coupon->is_percent ? to_string(Decimal{coupon->off}) : amount(coupon->off, true));
      if (coupon->ceiling) text += " up to " + amount(*coupon->ceiling, true);
      if (coupon->orders_from > 0) text += " from " + amount(coupon->orders_from, true);
      if (coupon->where) text += " where " + expression(coupon->where, coupon->order);
      if (!coupon->pattern.empty()) text += " codes " + quoted(coupon->pattern);
      if (!coupon->pool.empty())
        text += " codes from pool " + quoted(coupon->pool) + " low at " +
                std::to_string(coupon->low_at);
      if (coupon->is_best_of) text += " best";
      if (coupon->valid_for) text += " valid " + to_string(*coupon->valid_for);
      if (coupon->valid_until != Timestamp::never())
        text += " until " + to_string(coupon->valid_until, *plan_.policy.zone);
    } else if (const auto* points = std::get_if<Points>(&incentive.what)) {
      text = "points " + incentive.symbol.name + ": worth " + amount(points->worth, true);
      if (points->expire) text += " expire " + to_string(*points->expire);
      if (points->pending) text += " pending " + to_string(*points->pending);
    } else {
      text = "draw " + incentive.symbol.name + ":";
      for (const auto& prize : std::get<PrizeDraw>(incentive.what).prizes)
        text += " " + (prize.points > 0 ? std::to_string(prize.points) + " " : "") + prize.name +
                " weight " + std::to_string(prize.weight) + " stock " + amount(prize.stock, false) +
                ";";
    }
    line(0, text);
    for (const LimitId id : incentive.limits) line(1, limit(id));
  }

  void referral(const Referral& referral) {
    line(0, "referral " + referral.symbol.name + ": " + (referral.first_touch ? "first" : "last") +
                " touch, qualifies by " + match({referral.qualify_type, referral.qualify_where}));
    for (const auto& reward : referral.rewards)
      line(1, std::string(!reward.to_inviter ? "invitee"
                          : reward.is_one_up ? "inviter of inviter"
                                             : "inviter") +
                  " is given " + gift(reward.incentive, reward.amount) +
                  (reward.at ? " at " + event_name(reward.at) : ""));
    for (const auto& milestone : referral.milestones)
      line(1, "at " + std::to_string(milestone.friends) + " friends " +
                  gift(milestone.incentive, milestone.amount) +
                  (milestone.to_invitee ? " to the friend" : ""));
    for (const BudgetId id : referral.budgets)
      line(1, "in budget " + plan_.budgets[id.index()].name);
    for (const LimitId id : referral.limits) line(1, limit(id));
    for (const auto& undoing : referral.undone_by)
      line(1, "clawed back by " + match({undoing.type, undoing.where}));
  }

  void metrics() {
    for (std::size_t i = 0; i < plan_.accumulators.size(); ++i) {
      const Accumulator& each = plan_.accumulators[i];
      std::string text = "accumulator " + std::to_string(i) + ": " +
                         std::string(word_of(each.aggregate)) + " " + match(each.events);
      if (!each.field.is_none()) text += " of " + field_name(each.events.type, each.field.index());
      line(0, text);
    }
    for (std::size_t i = 0; i < plan_.logs.size(); ++i) {
      const Log& log = plan_.logs[i];
      std::string text = "log " + std::to_string(i) + ": " + match(log.events);
      for (const FieldId column : log.columns)
        text += ", " + field_name(log.events.type, column.index());
      line(0, text + " for " + to_string(log.retention));
    }
    for (std::size_t i = 0; i < plan_.metrics.size(); ++i) {
      const Metric& metric = plan_.metrics[i];
      std::string text = "metric " + metric_name(i) + ": " +
                         std::string(word_of(metric.aggregate)) + " " + match(metric.events);
      if (metric_name(i).starts_with("metric ")) text.erase(0, 7);
      if (!metric.field.is_none())
        text += " of " + field_name(metric.events.type, metric.field.index());
      switch (metric.window.kind) {
        case WindowKind::Lifetime: break;
        case WindowKind::Trailing: text += " over " + to_string(metric.window.span); break;
        case WindowKind::ThisDay: text += " this day"; break;
        case WindowKind::ThisWeek: text += " this week"; break;
        case WindowKind::ThisMonth: text += " this month"; break;
        case WindowKind::ThisYear: text += " this year"; break;
      }
      text += metric.log.is_none() ? " from accumulator " + std::to_string(metric.accumulator.value)
                                   : " from log " + std::to_string(metric.log.value);
      if (!metric.log.is_none() && !metric.field.is_none())
        text += " column " + std::to_string(metric.column);
      line(0, text);
    }
  }

  void watches() {
    for (std::size_t i = 0; i < plan_.watches.size(); ++i) {
      const Watch& watch = plan_.watches[i];
      line(0, (watch.is_segment ? "segment " : "") + watch_name(i) + ": " +
                  expression(watch.condition));
    }
  }

  void tier(const Tier& tier) {
    std::string text = "tier " + tier.symbol.name + " by " + expression(tier.by);
    if (!tier.among.is_none()) text += " among " + expression(tier.among);
    text += " refreshed " + schedule(tier.refreshed) + ":";
    const auto& levels =
        plan_.schema.enumerations[plan_.schema[tier.attribute].type.enumeration.index()].values;
    for (std::size_t i = 0; i < tier.up_to.size(); ++i)
      text +=
          (i == 0 ? " " : ", ") + levels[i].name + " up to " + scaled_to_string(tier.up_to[i], 6);
    line(0, text);
  }

  void message(std::size_t index) {
    const Message& message = plan_.messages[index];
    line(0,
         "message " + std::to_string(index) + ": " + plan_.contents[message.content.index()].name);
    for (const auto& variant : message.variants) {
      std::string text = variant.language.empty() ? std::string() : variant.language + " ";
      text += variant.channel.is_none() ? std::string("everywhere")
                                        : plan_.channels[variant.channel.index()].symbol.name;
      if (!variant.title.is_none()) text += " title " + text_of(variant.title);
      if (!variant.body.is_none()) text += " body " + text_of(variant.body);
      if (!variant.link.is_none()) text += " link " + text_of(variant.link);
      if (!variant.provider_template.empty()) text += " template " + variant.provider_template;
      for (const auto& [name, value] : variant.values) text += " " + name + "=" + text_of(value);
      line(1, text);
    }
  }

  std::string schedule(const Schedule& schedule) const {
    switch (schedule.every) {
      case Schedule::Every::Once: return "at " + to_string(schedule.at, *plan_.policy.zone);
      case Schedule::Every::Day: return "every day at " + to_string(schedule.time);
      case Schedule::Every::Week:
        return "every " + std::string(weekday_name(schedule.day)) + " at " +
               to_string(schedule.time);
      case Schedule::Every::Month:
        return "on day " + std::to_string(schedule.day) + " of each month at " +
               to_string(schedule.time);
      case Schedule::Every::Year: {
        std::string text = "each year ";
        text += schedule.offset == Span{}
                    ? std::string("on ")
                    : to_string(schedule.offset) + (schedule.before ? " before " : " after ");
        return text + "customer." + plan_.schema[schedule.date].symbol.name + " at " +
               to_string(schedule.time);
      }
    }
    KOI_ASSERT(false);
  }

  void trigger(const Trigger& trigger) {
    std::string text = "when ";
    switch (trigger.kind) {
      case Trigger::Kind::Event:
      case Trigger::Kind::Sequence:
      case Trigger::Kind::Absence:
        text += binding(trigger.first);
        for (const Binding& then : trigger.thens) text += " then " + binding(then);
        for (std::size_t i = 0; i < trigger.nots.size(); ++i) {
          text += " without " + match(trigger.nots[i]);
          if (const auto during = stretch_of(trigger, i); during != whole_of(trigger))
            text += " (from part " + std::to_string(during.from) + " until " +
                    std::to_string(during.until) + ")";
        }
        if (trigger.kind != Trigger::Kind::Event) text += " within " + to_string(trigger.within);
        for (const Trigger::Leg& leg : trigger.legs)
          text += ", from part " + std::to_string(leg.from) + " within " + to_string(leg.within);
        break;
      case Trigger::Kind::Enters: text += "enters " + watch_name(trigger.watch.index()); break;
      case Trigger::Kind::Leaves: text += "leaves " + watch_name(trigger.watch.index()); break;
      case Trigger::Kind::Schedule:
        text = schedule(trigger.schedule);
        if (!trigger.condition.is_none()) text += " for " + expression(trigger.condition);
        break;
    }
    line(1, text + ", from step " + std::to_string(trigger.start));
  }

  std::string reply(const Send& send) const {
    return "reply message " + std::to_string(send.message) + " to " + expression(send.reply_to) +
           " on " + expression(send.reply_on) +
           (send.within ? " within " + to_string(*send.within) : "");
  }

  std::string step(const Step& step) const {
    if (const auto* send = std::get_if<Send>(&step)) {
      if (send->is_reply()) return reply(*send);
      std::string text = "send message " + std::to_string(send->message) + " via ";
      for (std::size_t i = 0; i < send->channels.size(); ++i)
        text += (i == 0 ? "" : ", else ") + plan_.channels[send->channels[i].index()].symbol.name;
      if (send->within) text += " within " + to_string(*send->within);
      if (send->wait_for_cap) text += " or wait up to " + to_string(*send->wait_for_cap);
      return text;
    }
    if (const auto* wait = std::get_if<Wait>(&step)) return "wait " + to_string(wait->span);
    if (const auto* until = std::get_if<WaitUntil>(&step)) {
      switch (until->kind) {
        case WaitUntil::Kind::TimeOfDay: return "wait until " + to_string(until->time);
        case WaitUntil::Kind::Weekday:
          return "wait until " + std::string(weekday_name(until->weekday)) + " " +
                 to_string(until->time);
        case WaitUntil::Kind::Instant: break;
      }
      std::string text = "wait until ";
      if (until->offset != Span{})
        text += to_string(until->offset) + (until->before ? " before " : " after ");
      text += expression(until->instant);
      return until->at_time ? text + " at " + to_string(until->time) : text;
    }
    if (const auto* wait = std::get_if<WaitFor>(&step))
      return "wait for " + binding(wait->binding) + " up to " + to_string(wait->up_to) +
             ", then step " + std::to_string(wait->on_event) + ", else step " +
             std::to_string(wait->on_timeout);
    if (const auto* choice = std::get_if<If>(&step))
      return "if " + expression(choice->condition) + ", else step " +
             std::to_string(choice->otherwise);
    if (const auto* jump = std::get_if<Jump>(&step))
      return "go to step " + std::to_string(jump->to);
    if (const auto* set = std::get_if<Set>(&step))
      return "set customer." + plan_.schema[set->attribute].symbol.name + " = " + set_value(*set);
    if (const auto* tag = std::get_if<Tag>(&step))
      return (tag->remove ? "untag " : "tag ") + quoted(tag->tag);
    if (const auto* split = std::get_if<Split>(&step)) {
      std::string text = "split " + std::to_string(split->number) + ":";
      for (const Split::Arm& arm : split->arms) {
        text +=
            (&arm == split->arms.data() ? " up to " : ", up to ") + scaled_to_string(arm.up_to, 6);
        if (!arm.arm.is_none()) text += " arm " + std::to_string(arm.arm.value);
        text += " step " + std::to_string(arm.start);
      }
      return text;
    }
    if (const auto* repeat = std::get_if<Repeat>(&step))
      return "first pass" + passes(repeat->passes);
    if (const auto* again = std::get_if<Again>(&step))
      return "next pass from step " + std::to_string(again->back) + " every " +
             to_string(again->every) + " at most " + std::to_string(again->at_most) + " times" +
             passes(again->passes);
    if (const auto* emit = std::get_if<Emit>(&step)) {
      std::string text = "emit " + event_name(emit->event);
      for (std::size_t i = 0; i < emit->fields.size(); ++i)
        if (!emit->fields[i].is_none())
          text += " " + field_name(emit->event, i) + " = " + expression(emit->fields[i]);
      return text;
    }
    if (const auto* notify = std::get_if<Notify>(&step)) {
      std::string text =
          "notify " + plan_.teams[notify->team.index()].name + " " + text_of(notify->text);
      return notify->within ? text + " within " + to_string(*notify->within) : text;
    }
    if (const auto* call = std::get_if<Call>(&step)) {
      std::string text = "call " + plan_.webhooks[call->webhook.index()].name;
      for (const Call::Given& given : call->fields)
        text += " " + given.name + " = " + expression(given.value);
      return text;
    }
    if (const auto* start = std::get_if<Start>(&step)) return "start " + start->campaign;
    if (const auto* give = std::get_if<Give>(&step))
      return "give " + gift(give->incentive, give->amount) +
             (give->to_inviter ? " to inviter" : "") +
             (give->what_is_left ? " or what is left" : "") +
             (give->otherwise != 0 ? ", else step " + std::to_string(give->otherwise) : "");
    if (const auto* back = std::get_if<ClawBack>(&step))
      return "claw back " + plan_.incentives[back->incentive.index()].symbol.name;
    if (const auto* take = std::get_if<Take>(&step))
      return "take " + gift(take->incentive, take->amount) + ", else step " +
             std::to_string(take->otherwise) + ", in vain step " + std::to_string(take->end);
    KOI_ASSERT(std::holds_alternative<Stop>(step));
    return "stop";
  }

  static std::string passes(const Passes& passes) {
    return " in slots " + std::to_string(passes.since.value) + ", " +
           std::to_string(passes.counted.value) + ", " + std::to_string(passes.all.value);
  }

  std::string set_value(const Set& set) const {
    const Node& node = plan_[set.value];
    if (node.op != Op::Constant) return expression(set.value);
    return literal(plan_.constants[node.index], plan_.schema[set.attribute].type.enumeration);
  }

  void campaign(const Campaign& campaign) {
    line(0, "campaign " + campaign.symbol.name + ": " +
                std::string(name_of(campaign.campaign_class)) + ", priority " +
                std::to_string(campaign.priority) + ", frame of " +
                std::to_string(campaign.frame_size));
    if (!campaign.audience.is_none()) line(1, "for " + expression(campaign.audience));
    std::string enter = campaign.enter.how == Enter::How::Always ? "enter always" : "enter once";
    if (!campaign.enter.key.is_none()) enter += " per " + expression(campaign.enter.key);
    if (!campaign.enter.key.is_none() && !campaign.enter.key_from_first)
      enter += " (known at the end)";
    if (campaign.enter.how == Enter::How::Every)
      enter += " every " + to_string(campaign.enter.every);
    line(1, enter);
    if (campaign.hold_out != Decimal{}) line(1, "hold out " + to_string(campaign.hold_out));
    if (campaign.from != Timestamp::ever() || campaign.until != Timestamp::never())
      line(1, "from " + to_string(campaign.from, *plan_.policy.zone) + " until " +
                  to_string(campaign.until, *plan_.policy.zone));
    for (std::size_t i = 0; i < campaign.arms.size(); ++i)
      line(1, "arm " + std::to_string(i) + " of split " + std::to_string(campaign.arms[i].split) +
                  " " + quoted(campaign.arms[i].name));
    if (campaign.goal) {
      std::string text = "goal " + match(campaign.goal->match);
      if (campaign.goal->within) text += " within " + to_string(*campaign.goal->within);
      line(1, text);
    }
    for (const EventMatch& event : campaign.leave_events) line(1, "leave when " + match(event));
    for (const NodeId condition : campaign.leave_conditions)
      line(1, "leave when " + expression(condition));
    for (const Trigger& each : campaign.triggers) trigger(each);
    for (std::size_t i = 0; i < campaign.steps.size(); ++i)
      line(1, std::to_string(i) + ": " + step(campaign.steps[i]));
  }

  std::string trigger_name(const TriggerRef& ref) const {
    return plan_.campaigns[ref.campaign.index()].symbol.name + "/" + std::to_string(ref.trigger);
  }

  void reactions() {
    for (std::size_t i = 0; i < plan_.reactions.size(); ++i) {
      const Reaction& reaction = plan_.reactions[i];
      std::string text;
      const auto type = EventTypeId::of(i);
      for (const AttributeSet& set : reaction.sets) {
        text += " sets " + plan_.schema[set.attribute].symbol.name + " = " +
                expression(set.value, type);
        if (!set.where.is_none()) text += " where " + expression(set.where, type);
        text += ";";
      }
      const auto list = [&](const char* word, const auto& items, auto name) {
        if (items.empty()) return;
        text += std::string(" ") + word;
        for (std::size_t j = 0; j < items.size(); ++j)
          text += (j == 0 ? " " : ", ") + name(items[j]);
        text += ";";
      };
      const auto number = [](auto id) { return std::to_string(id.value); };
      list("accumulators", reaction.accumulators, number);
      list("logs", reaction.logs, number);
      list("watches", reaction.watches, [&](WatchId id) { return watch_name(id.index()); });
      list("begins", reaction.begins, [&](const TriggerRef& ref) { return trigger_name(ref); });
      list("concerns", reaction.concerns,
           [&](CampaignId id) { return plan_.campaigns[id.index()].symbol.name; });
      if (reaction.remembered) text += " remembered;";
      if (text.empty()) continue;
      text.pop_back();
      line(0, "on " + event_name(type) + ":" + text);
    }
    const auto watch_list = [&](const std::string& head, const std::vector<WatchId>& watches) {
      if (watches.empty()) return;
      std::string text = head;
      for (std::size_t j = 0; j < watches.size(); ++j)
        text += (j == 0 ? " " : ", ") + watch_name(watches[j].index());
      line(0, text);
    };
    for (std::size_t i = 0; i < plan_.watches_of_attribute.size(); ++i)
      watch_list("with customer." + plan_.schema.attributes[i].symbol.name + " watches",
                 plan_.watches_of_attribute[i]);
    for (std::size_t i = 0; i < plan_.watches_of_watch.size(); ++i)
      watch_list("with " + watch_name(i) + " watches", plan_.watches_of_watch[i]);
  }

  const Plan& plan_;
  std::string out_;
};

}  // namespace

std::string listing(const Plan& plan) { return Lister(plan).list(); }

std::string expression(const Plan& plan, NodeId node, EventTypeId event) {
  return Lister(plan).expression(node, event);
}

}  // namespace koi::plan
