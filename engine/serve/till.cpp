#include "serve/till.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "base/decimal.h"
#include "runtime/entry.h"
#include "serve/body.h"
#include "serve/detail/paths.h"
#include "serve/json_writer.h"

namespace koi::serve {

namespace {

using core::Call;
using core::Reason;
using Json = nlohmann::json;

constexpr std::string_view v1_coupons = "/v1/coupons/", v1_packets = "/v1/packets/",
                           v1_reviews = "/v1/reviews";
constexpr std::size_t longest_name = 200;  // of a code, an order, a key
constexpr std::size_t most_together = 20;
constexpr std::uint64_t most_points = 1'000'000'000'000'000;

struct Deed {
  std::string_view name;
  Call::Kind kind;
};
constexpr std::array of_coupons{Deed{"validate", Call::Kind::Validate},
                                Deed{"lock", Call::Kind::Lock}, Deed{"redeem", Call::Kind::Redeem},
                                Deed{"rollback", Call::Kind::RollBack}};

constexpr std::array of_points{Deed{"/points/spend", Call::Kind::Spend},
                               Deed{"/points/rollback", Call::Kind::Unspend}};

// What is to be done with points by `/v1/customers/ID/points/spend`; null: nothing.
const Deed* deed_of_points(std::string_view path) {
  if (!path.starts_with(v1_customers)) return nullptr;
  for (const Deed& each : of_points)
    if (path.ends_with(each.name) && path.size() > v1_customers.size() + each.name.size())
      return &each;
  return nullptr;
}

// The code in `/v1/coupons/CODE/redeem`, and what is to be done with it.
Result<void> read_path(std::string_view path, TillRequest& request) {
  Call& call = request.call;
  const Error nothing{"path", "there is nothing here; docs/operating.md lists what there is"};
  if (path == v1_reviews) {
    call.kind = Call::Kind::Approve;
    return {};
  }
  if (const Deed* deed = deed_of_points(path)) {
    call.kind = deed->kind;
    path.remove_prefix(v1_customers.size());
    path.remove_suffix(deed->name.size());
    if (path.size() > longest_name) return nothing;
    request.subject = path;
    return {};
  }
  const bool is_coupon = path.starts_with(v1_coupons);
  path.remove_prefix(is_coupon ? v1_coupons.size() : v1_packets.size());
  const std::size_t slash = path.rfind('/');
  if (slash == 0 || slash == path.npos || slash > longest_name) return nothing;
  call.code = path.substr(0, slash);
  const std::string_view deed = path.substr(slash + 1);
  if (!is_coupon) {
    call.kind = Call::Kind::Claim;
    if (deed == "claim") return {};
    return nothing;
  }
  for (const Deed& each : of_coupons)
    if (each.name == deed) {
      call.kind = each.kind;
      return {};
    }
  return nothing;
}

// A text member; empty where there is none. Error "body" where it is none or too long.
Result<std::string> text_in(const Json& body, const char* name) {
  const auto member = body.find(name);
  if (member == body.end() || member->is_null()) return std::string();
  if (!member->is_string() || member->get_ref<const std::string&>().size() > longest_name)
    return Error{"body", "`" + std::string(name) + "` is a text of at most 200 bytes"};
  return member->get<std::string>();
}

Result<std::string> needed(const Json& body, const char* name, const char* what) {
  KOI_LET(std::string text, text_in(body, name));
  if (text.empty()) return Error{"body", "say `" + std::string(name) + "`: " + what};
  return text;
}

// A value as JSON has it, as one of that type; a fraction only as a text, whose digits are exact.
bool read_value(runtime::EntryReader& reader, const Type& type, const Json& json, Value& value,
                std::string& fault) {
  if (json.is_null()) {
    value = {};
    return true;
  }
  if (json.is_string())
    return reader.from_text(type, json.get_ref<const std::string&>(), false, value, fault);
  if (json.is_number_integer()) return reader.from_number(type, json.dump(), false, value, fault);
  if (json.is_boolean() && type.kind == Kind::Bool) {
    value = Value::boolean(json.get<bool>());
    return true;
  }
  if (json.is_array() && type.kind == Kind::List) {
    Type element{.kind = type.element};
    element.enumeration = type.enumeration;
    element.text = type.element_text;
    std::vector<Value> values;
    for (const Json& each : json) {
      values.emplace_back();
      if (!read_value(reader, element, each, values.back(), fault)) return false;
    }
    value = Value::list(std::move(values));
    return true;
  }
  fault = json.is_number() ? "has a fraction: write it as a text, as \"12.50\""
                           : "is not what the rules say it is";
  return false;
}

// The amount is the request's own; all else of an order is among its facts.
bool is_amount_of_order(const Field& field) {
  return field.symbol.name == "amount" && field.type.kind == Kind::Money;
}

// The order as each event that some coupon's scope reads. What such an event has no field for is
// the till's own.
Result<void> read_order(const plan::Plan& plan, const Json& body, Call& call) {
  runtime::EntryReader reader(plan.schema);
  std::string fault;
  Value amount;
  const auto given = body.find("amount");
  if (given == body.end() || !read_value(reader, {.kind = Kind::Money}, *given, amount, fault) ||
      amount.is_missing())
    return Error{"body", "say `amount`: the order's, as \"120.00\""};
  call.amount = amount.raw();
  if (call.amount <= 0) return Error{"body", "`amount` is more than nothing"};
  const auto facts = body.find("facts");
  if (facts != body.end() && !facts->is_object())
    return Error{"body", "`facts` is an object: what is known of the order, as its event has it"};
  for (const plan::Incentive& incentive : plan.incentives) {
    const auto* coupon = std::get_if<plan::Coupon>(&incentive.what);
    if (!coupon || !coupon->where) continue;
    const bool is_known =
        std::any_of(call.facts.begin(), call.facts.end(),
                    [&](const Call::Facts& each) { return each.type == coupon->order; });
    if (is_known) continue;
    Call::Facts made{coupon->order, {}};
    for (const Field& field : plan.schema[coupon->order].fields) {
      Value value = field.fallback;
      if (facts != body.end())
        for (const auto& [name, json] : facts->items()) {
          if (name != field.symbol.name && name != field.symbol.alias) continue;
          if (!read_value(reader, field.type, json, value, fault))
            return Error{"body", "`" + field.symbol.name + "` " + fault};
        }
      if (is_amount_of_order(field)) value = amount;
      made.fields.push_back(std::move(value));
    }
    call.facts.push_back(std::move(made));
  }
  // As JSON has it in the order of its names: the same question has the same hash.
  if (facts != body.end()) call.said = hash64(facts->dump());
  const auto together = body.find("together");
  if (together == body.end()) return {};
  if (!together->is_array() || together->size() > most_together)
    return Error{"body", "`together` is a list of the other codes on the order, at most 20"};
  for (const Json& each : *together) {
    if (!each.is_string() || each.get_ref<const std::string&>().size() > longest_name)
      return Error{"body", "`together` is a list of codes, which are texts"};
    call.together.push_back(each.get<std::string>());
  }
  return {};
}

// An event that nothing listens to: a call of no campaign. Once for a person, however often he
// comes.
std::string introduction_of(const std::string& subject, Timestamp now) {
  std::string line = R"({"id":)";
  append_json_string(line, "introduced " + subject);
  line += R"(,"type":"called","time":")" + to_string(now, utc()) + R"(","subject":)";
  append_json_string(line, subject);
  return line + "}";
}

Result<void> read_hold(const Json& body, Call& call) {
  call.hold = usual_hold;
  const auto given = body.find("hold_seconds");
  if (given == body.end()) return {};
  if (!given->is_number_unsigned() || given->get<std::uint64_t>() == 0 ||
      given->get<std::uint64_t>() > static_cast<std::uint64_t>(longest_hold.us / 1'000'000))
    return Error{"body", "`hold_seconds` is a number from 1 to 86400"};
  call.hold = seconds(static_cast<std::int64_t>(given->get<std::uint64_t>()));
  return {};
}

Result<void> read_review(const plan::Plan& plan, const Json& body, TillRequest& request) {
  Call& call = request.call;
  KOI_LET(request.subject, needed(body, "inviter", "who brought the friend"));
  KOI_LET(call.invitee, needed(body, "invitee", "the friend's id"));
  KOI_LET(const std::string name, needed(body, "referral", "its name in the rules"));
  for (std::size_t i = 0; i < plan.referrals.size(); ++i)
    if (plan.referrals[i].symbol.name == name || plan.referrals[i].symbol.alias == name)
      call.referral = plan::ReferralId::of(i);
  if (!call.referral) return Error{"referral", "the rules have no referral of that name"};
  call.said = hash64(plan.referrals[call.referral.index()].symbol.name);
  KOI_LET(const std::string decision, needed(body, "decision", "`approve` or `decline`"));
  if (decision != "approve" && decision != "decline")
    return Error{"body", "`decision` is `approve` or `decline`"};
  call.kind = decision == "approve" ? Call::Kind::Approve : Call::Kind::Decline;
  return {};
}

// A number of points, of those that the rules call so.
Result<void> read_points(const plan::Plan& plan, const Json& body, Call& call) {
  KOI_LET(const std::string name, needed(body, "points", "their name in the rules"));
  KOI_LET(call.order, needed(body, "order", "what you call what they are spent for"));
  for (std::size_t i = 0; i < plan.incentives.size(); ++i)
    if (const plan::Incentive& each = plan.incentives[i];
        std::holds_alternative<plan::Points>(each.what) &&
        (each.symbol.name == name || each.symbol.alias == name))
      call.points = plan::IncentiveId::of(i);
  if (!call.points) return Error{"points", "the rules have no points of that name"};
  call.said = hash64(plan.incentives[call.points.index()].symbol.name);
  if (call.kind == Call::Kind::Unspend) return {};
  const auto amount = body.find("amount");
  if (amount == body.end() || !amount->is_number_unsigned() || amount->get<std::uint64_t>() == 0 ||
      amount->get<std::uint64_t>() > most_points)
    return Error{"body", "`amount` is how many points, a whole number from 1 on"};
  call.amount = static_cast<std::int64_t>(amount->get<std::uint64_t>());
  return {};
}

// A reason in words, for whoever stands at the till.
std::string_view words_of(Reason reason) {
  switch (reason) {
    case Reason::UnknownCode: return "nobody has that code";
    case Reason::Redeemed: return "it was redeemed before";
    case Reason::Locked: return "another order has it for now";
    case Reason::Lapsed: return "its time is over";
    case Reason::NotYet: return "it is not valid yet";
    case Reason::Threshold: return "the order is too small";
    case Reason::Scope: return "it is not for such an order";
    case Reason::Combination: return "it cannot be used beside that other code";
    case Reason::NotHeld: return "this order has neither locked nor redeemed it";
    case Reason::NotInReview: return "nobody of that name is held for review";
    case Reason::KeyReused: return "something else was asked for under this Idempotency-Key";
    case Reason::AllTaken: return "every share is taken";
    case Reason::TakenBefore: return "this customer has a share of it";
    case Reason::TooLate: return "it is too late";
    case Reason::NotBest: return "another coupon on the order takes off more";
    case Reason::NotEnough: return "there are not so many points";
    case Reason::Limit: return "this customer has had as much as the rules allow";
    default: return "the rules refuse it";
  }
}

void add_facts_read(const plan::Plan& plan, const EventType& order, plan::NodeId id,
                    std::vector<std::size_t>& fields) {
  if (id.is_none()) return;
  const plan::Node& node = plan[id];
  const bool is_fact = node.op == plan::Op::Field && node.index < order.fields.size() &&
                       !is_amount_of_order(order.fields[node.index]);
  if (is_fact && std::find(fields.begin(), fields.end(), node.index) == fields.end())
    fields.push_back(node.index);
  if (node.op == plan::Op::Join)
    for (const auto& part : plan.templates[node.index].parts)
      add_facts_read(plan, order, part.node, fields);
  add_facts_read(plan, order, node.a, fields);
  add_facts_read(plan, order, node.b, fields);
}

// Of the order's event the fields that the coupon's `where` reads, in their order.
std::vector<std::size_t> facts_read(const plan::Plan& plan, const plan::Coupon& coupon) {
  std::vector<std::size_t> fields;
  if (coupon.where) add_facts_read(plan, plan.schema[coupon.order], coupon.where, fields);
  std::sort(fields.begin(), fields.end());
  return fields;
}

void write_facts(JsonWriter& out, const plan::Plan& plan, const plan::Coupon& coupon,
                 const std::vector<std::size_t>& fields) {
  out.open('[');
  for (const std::size_t field : fields)
    out.text(plan.schema[coupon.order].fields[field].symbol.name);
  out.close(']');
}

// Which of them the till has not said.
std::vector<std::size_t> facts_missing(const plan::Plan& plan, const plan::Coupon& coupon,
                                       const Call& call) {
  std::vector<std::size_t> missing = facts_read(plan, coupon);
  for (const Call::Facts& facts : call.facts)
    if (facts.type == coupon.order)
      std::erase_if(missing, [&](std::size_t field) { return !facts.fields[field].is_missing(); });
  return missing;
}

// What the coupon says of itself, so that a till can tell why.
void write_terms(JsonWriter& out, const plan::Plan& plan, const plan::Coupon& coupon) {
  out.open('{');
  if (coupon.is_percent)
    out.key("percent"), out.text(to_string(Decimal{coupon.off * 100}));
  else
    out.key("off"), out.money(coupon.off);
  if (coupon.ceiling) out.key("up_to"), out.money(*coupon.ceiling);
  if (coupon.orders_from > 0) out.key("orders_from"), out.money(coupon.orders_from);
  if (coupon.where) out.key("facts"), write_facts(out, plan, coupon, facts_read(plan, coupon));
  if (coupon.is_best_of) out.key("best_of"), out.boolean(true);
  out.key("combines_with");
  if (coupon.combines_with_any) {
    out.text("any");
  } else {
    out.open('[');
    for (const plan::IncentiveId other : coupon.combines_with)
      out.text(plan.incentives[other.index()].symbol.name);
    out.close(']');
  }
  out.close('}');
}

void write_points(JsonWriter& out, const Call& call, const core::Answer& answer) {
  if (answer.reason == Reason::None) {
    out.key(call.kind == Call::Kind::Spend ? "spent" : "given_back");
    out.raw(std::to_string(answer.amount));
  }
  if (answer.reason == Reason::None || answer.reason == Reason::NotEnough)
    out.key("balance"), out.raw(std::to_string(answer.other));
}

int status_of(const Call& call, Reason reason) {
  if (reason == Reason::None || call.kind == Call::Kind::Validate) return 200;
  if (reason == Reason::UnknownCode || reason == Reason::NotInReview) return 404;
  return reason == Reason::KeyReused ? 422 : 409;
}

}  // namespace

bool is_of_till(std::string_view path) {
  return path.starts_with(v1_coupons) || path.starts_with(v1_packets) || path == v1_reviews ||
         deed_of_points(path);
}

Result<TillRequest> till_request(const plan::Plan& plan, const net::Asked& asked, Timestamp now) {
  TillRequest request;
  Call& call = request.call;
  KOI_TRY(read_path(asked.path, request));
  call.time = now;
  const std::string* const key = net::find(asked.headers, "Idempotency-Key");
  if (call.kind != Call::Kind::Validate) {
    if (!key || key->empty() || key->size() > longest_name)
      return Error{"key",
                   "name this request by a header Idempotency-Key of at most 200 bytes, and send "
                   "it again under the same one where no answer came"};
    call.id = *key;
  }
  KOI_LET(const Json body, asked.body.empty() ? Json::object() : object_in(asked.body));
  switch (call.kind) {
    case Call::Kind::Approve:
    case Call::Kind::Decline: {
      KOI_TRY(read_review(plan, body, request));
      break;
    }
    case Call::Kind::Claim: {
      KOI_LET(request.subject, needed(body, "subject", "who claims it, an id or `kind:value`"));
      if (request.subject == "*") return Error{"body", "`subject` is one person; `*` is everybody"};
      if (request.subject.find(':') != std::string::npos)
        request.introduction = introduction_of(request.subject, now);
      break;
    }
    case Call::Kind::Validate: {
      KOI_LET(call.order, text_in(body, "order"));
      KOI_TRY(read_order(plan, body, call));
      break;
    }
    case Call::Kind::Spend:
    case Call::Kind::Unspend: {
      KOI_TRY(read_points(plan, body, call));
      break;
    }
    case Call::Kind::Stock: KOI_ASSERT(false);
    case Call::Kind::Lock:
    case Call::Kind::Redeem:
    case Call::Kind::RollBack: {
      KOI_LET(call.order, needed(body, "order", "what you call the order"));
      if (call.kind != Call::Kind::RollBack) KOI_TRY(read_order(plan, body, call));
      if (call.kind == Call::Kind::Lock) KOI_TRY(read_hold(body, call));
      break;
    }
  }
  return request;
}

net::Answer till_answer(const plan::Plan& plan, const Call& call, const core::Answer& answer) {
  const bool is_done = answer.reason == Reason::None;
  const plan::Incentive* const incentive =
      answer.incentive ? &plan.incentives[answer.incentive.index()] : nullptr;
  const auto* const coupon = incentive ? std::get_if<plan::Coupon>(&incentive->what) : nullptr;
  JsonWriter out(plan);
  out.open('{');
  out.key(call.kind == Call::Kind::Validate ? "good" : "done"), out.boolean(is_done);
  if (incentive) out.key("incentive"), out.text(incentive->symbol.name);
  if (!is_done) {
    out.key("reason"), out.text(core::name_of(answer.reason));
    out.key("message"), out.text(words_of(answer.reason));
  } else if (call.kind == Call::Kind::Claim) {
    out.key("amount"), out.money(answer.amount);
  } else if (coupon && call.kind != Call::Kind::RollBack) {
    out.key("takes_off"), out.money(answer.amount);
  }
  if (call.points) write_points(out, call, answer);
  // Which of two it is, and why.
  const bool is_rival =
      coupon && !answer.about.empty() && (is_done || answer.reason == Reason::NotBest);
  if (is_rival) {
    if (!is_done) out.key("takes_off"), out.money(answer.amount);
    out.key(is_done ? "instead_of" : "better"), out.open('{');
    out.key("code"), out.text(answer.about);
    out.key("takes_off"), out.money(answer.other);
    out.close('}');
  }
  if (coupon && answer.until != Timestamp::never() && answer.until != Timestamp::ever()) {
    out.key(answer.reason == Reason::Redeemed ? "since"
            : answer.reason == Reason::NotYet ? "from"
                                              : "until");
    out.time(answer.until);
  }
  if (!answer.about.empty() && !is_rival)
    out.key(answer.reason == Reason::Combination ? "beside" : "order"), out.text(answer.about);
  if (coupon && answer.reason == Reason::Scope)
    if (const auto missing = facts_missing(plan, *coupon, call); !missing.empty())
      out.key("missing"), write_facts(out, plan, *coupon, missing);
  if (coupon) out.key("terms"), write_terms(out, plan, *coupon);
  out.close('}');
  net::Answer made;
  made.status = status_of(call, answer.reason);
  made.body = out.take() + "\n";
  return made;
}

}  // namespace koi::serve
