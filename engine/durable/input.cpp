#include "durable/input.h"

#include <utility>
#include <vector>

#include "model/codec.h"

namespace koi::durable {

namespace {

enum class Mark : std::uint8_t { Opening = 1, Event = 2, Receipt = 3, Attempt = 4, Call = 5 };

void mark(ByteWriter& out, Mark mark) { out.byte(static_cast<std::uint8_t>(mark)); }

bool fits(const Type& type, const Value& value) {
  if (value.is_missing()) return true;  // an optional one, or the door has let it in so
  if (value.kind() != type.kind) return false;
  if (value.kind() != Kind::List) return true;
  for (const Value& element : value.as_list())
    if (element.kind() != type.element) return false;
  return true;
}

bool fits(const Schema& schema, const Type& type, const Value& value) {
  if (!fits(type, value)) return false;
  if (type.enumeration.is_none()) return true;
  const auto values = schema.enumerations[type.enumeration.index()].values.size();
  const auto within = [&](const Value& each) {
    return each.kind() != Kind::Enum || (each.raw() >= 0 && std::cmp_less(each.raw(), values));
  };
  if (value.kind() != Kind::List) return within(value);
  for (const Value& element : value.as_list())
    if (!within(element)) return false;
  return true;
}

bool read(ByteReader& in, Opening& opening) {
  opening.stamp = in.time();
  const std::uint64_t timers = in.unsigned_(), number = in.unsigned_();
  opening.rules = in.fixed64();
  opening.timers = static_cast<std::uint32_t>(timers);
  opening.semantics = static_cast<std::uint32_t>(number);
  return in.ok() && in.at_end() && timers <= UINT32_MAX && number <= UINT32_MAX;
}

bool read_fields(ByteReader& in, const Schema& schema, EventTypeId type,
                 std::vector<Value>& values) {
  const std::vector<Field>& fields = schema[type].fields;
  if (in.count() != fields.size()) return false;
  values.reserve(fields.size());
  for (const Field& field : fields) {
    values.push_back(in.value());
    if (!in.ok() || !fits(schema, field.type, values.back())) return false;
  }
  return true;
}

bool read(ByteReader& in, const Schema& schema, Event& event) {
  event.id = in.text();
  const std::uint64_t type = in.unsigned_();
  event.time = in.time();
  event.customer = in.text();
  if (!in.ok() || event.id.empty() || type >= schema.events.size()) return false;
  event.type = EventTypeId::of(type);
  if (!read_fields(in, schema, event.type, event.fields)) return false;
  for (std::size_t left = in.count(2); left > 0; --left) {
    const std::uint64_t kind = in.unsigned_();
    if (kind >= schema.identifiers.size()) return false;
    event.identifiers.push_back({IdentifierId::of(kind), std::string(in.text())});
  }
  return in.ok() && in.at_end();
}

constexpr std::uint8_t unknown_mark = 0x80;  // beside a receipt's failure, which is None then

bool read(ByteReader& in, ReceiptFor& given) {
  given.customer = in.text();
  given.receipt.key = in.hash();
  given.receipt.time = in.time();
  std::uint8_t failure = in.byte();
  given.receipt.unknown = failure == unknown_mark;
  if (given.receipt.unknown) failure = 0;
  given.receipt.failure = static_cast<Failure>(failure);
  if (in.ok() && !in.at_end()) {
    given.receipt.by = in.text();
    if (given.receipt.by.empty()) return false;  // it would not have been written
  }
  return in.ok() && in.at_end() && failure <= static_cast<std::uint8_t>(Failure::Lapsed);
}

bool read(ByteReader& in, AttemptFor& given) {
  given.customer = in.text();
  given.key = in.hash();
  return in.ok() && in.at_end();
}

bool is_points(const plan::Plan& plan, plan::IncentiveId id) {
  return !id.is_none() && std::holds_alternative<plan::Points>(plan.incentives[id.index()].what);
}

// Its time is the batch's, and is not written.
void write(ByteWriter& out, const core::Call& call) {
  out.byte(static_cast<std::uint8_t>(call.kind));
  out.text(call.customer);
  out.text(call.id);
  out.text(call.code);
  out.fixed64(call.said);
  out.text(call.order);
  out.signed_(call.amount);
  out.unsigned_(call.facts.size());
  for (const core::Call::Facts& facts : call.facts) {
    out.unsigned_(facts.type.index());
    out.unsigned_(facts.fields.size());
    for (const Value& value : facts.fields) out.value(value);
  }
  out.unsigned_(call.together.size());
  for (const std::string& code : call.together) out.text(code);
  out.signed_(call.hold.us);
  out.unsigned_(call.referral ? call.referral.index() + 1 : 0);
  out.text(call.invitee);
  out.unsigned_(call.points ? call.points.index() + 1 : 0);
}

bool read(ByteReader& in, const plan::Plan& plan, core::Call& call) {
  const std::uint8_t kind = in.byte();
  if (kind == 0 || kind >= core::call_kind_count) return false;  // to validate is no input
  call.kind = static_cast<core::Call::Kind>(kind);
  call.customer = in.text();
  call.id = in.text();
  call.code = in.text();
  call.said = in.fixed64();
  call.order = in.text();
  call.amount = in.signed_();
  for (std::size_t left = in.count(2); left > 0 && in.ok(); --left) {
    const std::uint64_t type = in.unsigned_();
    if (type >= plan.schema.events.size()) return false;
    core::Call::Facts& facts = call.facts.emplace_back();
    facts.type = EventTypeId::of(type);
    if (!read_fields(in, plan.schema, facts.type, facts.fields)) return false;
  }
  for (std::size_t left = in.count(); left > 0 && in.ok(); --left)
    call.together.emplace_back(in.text());
  call.hold.us = in.signed_();
  const std::uint64_t referral = in.unsigned_();
  if (referral > plan.referrals.size()) return false;
  if (referral > 0) call.referral = plan::ReferralId::of(referral - 1);
  call.invitee = in.text();
  const std::uint64_t points = in.unsigned_();
  if (points > plan.incentives.size()) return false;
  if (points > 0) call.points = plan::IncentiveId::of(points - 1);
  const bool is_review =
      call.kind == core::Call::Kind::Approve || call.kind == core::Call::Kind::Decline;
  const bool is_of_points =
      call.kind == core::Call::Kind::Spend || call.kind == core::Call::Kind::Unspend;
  return in.ok() && in.at_end() && !call.id.empty() && call.amount >= 0 && call.hold.us >= 0 &&
         is_review == !call.referral.is_none() && is_of_points == is_points(plan, call.points);
}

}  // namespace

bool is_beyond_ids(const Event& event, Timestamp stamp, const plan::Policy& policy) {
  return event.time < stamp - policy.id_horizon && event.type != type_of(EngineEvent::Unsubscribed);
}

std::string_view customer_of(const Given& given) {
  return std::visit([](const auto& each) -> std::string_view { return each.customer; }, given);
}

namespace {
constexpr std::size_t usual_row = 192;  // bytes of most inputs
}

std::string encode(const Opening& opening) {
  ByteWriter out;
  mark(out, Mark::Opening);
  out.time(opening.stamp);
  out.unsigned_(opening.timers);
  out.unsigned_(opening.semantics);
  out.fixed64(opening.rules);
  return out.take();
}

std::string encode(const Given& given, std::string room) {
  room.clear();
  room.reserve(usual_row);
  ByteWriter out(std::move(room));
  if (const auto* event = std::get_if<Event>(&given)) {
    mark(out, Mark::Event);
    out.text(event->id);
    out.unsigned_(event->type.index());
    out.time(event->time);
    out.text(event->customer);
    out.unsigned_(event->fields.size());
    for (const Value& value : event->fields) out.value(value);
    out.unsigned_(event->identifiers.size());
    for (const Identifier& identifier : event->identifiers) {
      out.unsigned_(identifier.kind.index());
      out.text(identifier.text);
    }
  } else if (const auto* receipt = std::get_if<ReceiptFor>(&given)) {
    mark(out, Mark::Receipt);
    out.text(receipt->customer);
    out.hash(receipt->receipt.key);
    out.time(receipt->receipt.time);
    out.byte(receipt->receipt.unknown ? unknown_mark
                                      : static_cast<std::uint8_t>(receipt->receipt.failure));
    if (!receipt->receipt.by.empty()) out.text(receipt->receipt.by);
  } else if (const auto* attempt = std::get_if<AttemptFor>(&given)) {
    mark(out, Mark::Attempt);
    out.text(attempt->customer);
    out.hash(attempt->key);
  } else {
    mark(out, Mark::Call);
    write(out, std::get<core::Call>(given));
  }
  return out.take();
}

Result<Input> decode_input(const plan::Plan& plan, std::string_view bytes) {
  ByteReader in(bytes);
  bool good = false;
  Result<Input> decoded{Input()};
  Input& input = *decoded;
  switch (static_cast<Mark>(in.byte())) {
    case Mark::Opening: good = read(in, input.emplace<Opening>()); break;
    case Mark::Event: good = read(in, plan.schema, input.emplace<Event>()); break;
    case Mark::Receipt: good = read(in, input.emplace<ReceiptFor>()); break;
    case Mark::Attempt: good = read(in, input.emplace<AttemptFor>()); break;
    case Mark::Call: good = read(in, plan, input.emplace<core::Call>()); break;
  }
  if (good) return decoded;
  return Error{"corrupt", "a row of the journal is damaged: its bytes do not make an input"};
}

std::string_view customer_in(std::string_view bytes) {
  ByteReader in(bytes);
  switch (static_cast<Mark>(in.byte())) {
    case Mark::Event: in.text(), in.unsigned_(), in.time(); return in.text();
    case Mark::Receipt:
    case Mark::Attempt: return in.text();
    case Mark::Call: in.byte(); return in.text();
    case Mark::Opening: break;
  }
  return {};
}

std::optional<Opening> decode_opening(std::string_view bytes) {
  ByteReader in(bytes);
  Opening opening;
  if (static_cast<Mark>(in.byte()) != Mark::Opening || !read(in, opening)) return std::nullopt;
  return opening;
}

}  // namespace koi::durable
