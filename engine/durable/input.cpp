#include "durable/input.h"

#include <algorithm>
#include <type_traits>
#include <utility>
#include <vector>

#include "model/codec.h"

namespace koi::durable {

namespace {

enum class Mark : std::uint8_t {
  Opening = 1,
  Event = 2,
  Receipt = 3,
  Attempt = 4,
  Call = 5,
  Letter = 6
};

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

// Where codes lead, behind everything else, and only where some do.
void write(ByteWriter& out, const std::vector<CodePlace>& places) {
  if (places.empty()) return;
  out.unsigned_(places.size());
  for (const CodePlace& each : places)
    for (const std::string* text : {&each.code, &each.customer, &each.incentive, &each.referral})
      out.text(*text);
}

void read_each(ByteReader& in, std::vector<CodePlace>& places) {
  for (std::size_t left = in.count(4); left > 0 && in.ok(); --left) {
    CodePlace& each = places.emplace_back();
    for (std::string* text : {&each.code, &each.customer, &each.incentive, &each.referral})
      *text = in.text();
  }
}

bool read(ByteReader& in, std::vector<CodePlace>& places) {
  if (!in.ok() || in.at_end()) return in.ok();
  read_each(in, places);
  return in.ok() && in.at_end() && !places.empty();
}

// What few events have, behind everything else: where their codes lead, and whom they have met.
void write_rest(ByteWriter& out, const Event& event) {
  write(out, event.places);
  if (event.met.empty()) return;
  if (event.places.empty()) out.unsigned_(0);
  out.unsigned_(event.met.size());
  for (const Met& each : event.met) {
    out.unsigned_(each.identifier.kind.index());
    out.text(each.identifier.text);
    out.text(each.customer);
    out.unsigned_(each.link.index());
  }
}

bool read_rest(ByteReader& in, const Schema& schema, Event& event) {
  if (in.ok() && in.at_end()) return true;
  read_each(in, event.places);
  if (in.ok() && in.at_end()) return !event.places.empty();
  for (std::size_t left = in.count(4); left > 0 && in.ok(); --left) {
    Met& each = event.met.emplace_back();
    const std::uint64_t kind = in.unsigned_();
    each.identifier.text = in.text();
    each.customer = in.text();
    const std::uint64_t link = in.unsigned_();
    if (kind >= schema.identifiers.size() || link > schema.identifiers.size() ||
        each.customer.empty())
      return false;
    each.identifier.kind = IdentifierId::of(kind);
    each.link = IdentifierId::of(link);
  }
  return in.ok() && in.at_end() && !event.met.empty();
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
  return read_rest(in, schema, event);
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
  write(out, call.places);
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
  return read(in, call.places) && !call.id.empty() && call.amount >= 0 && call.hold.us >= 0 &&
         is_review == !call.referral.is_none() && is_of_points == is_points(plan, call.points);
}

// --- What groups tell one another

enum class Tells : std::uint8_t {
  Message = 1,
  Loan = 2,
  Meeting = 3,
  Verdict = 4,
  Arrival = 5,
  Arrived = 6,
  Passed = 7,
  Refused = 8
};

template <class Id>
void write_id(ByteWriter& out, Id id) {
  out.unsigned_(id.is_none() ? 0 : id.index() + 1);
}

template <class Id>
bool read_id(ByteReader& in, std::size_t size, Id& id) {
  const std::uint64_t number = in.unsigned_();
  if (number > size) return false;
  if (number > 0) id = Id::of(number - 1);
  return true;
}

// Whom it is for stands first, for customer_in().
void write(ByteWriter& out, const core::Message& message) {
  out.text(message.to);
  out.byte(static_cast<std::uint8_t>(message.kind));
  out.hash(message.key);
  out.time(message.time);
  out.text(message.from);
  write_id(out, message.incentive);
  write_id(out, message.referral);
  write_id(out, message.campaign);
  out.hash(message.entry);
  out.text(message.code);
  out.signed_(message.amount);
  out.byte(static_cast<std::uint8_t>(message.reason));
  out.boolean(message.what_is_left);
  out.byte(message.hops);
  out.unsigned_(message.hashes.size());
  for (const std::uint64_t hash : message.hashes) out.fixed64(hash);
  out.text(message.known_as);
}

bool read(ByteReader& in, const plan::Plan& plan, core::Message& message) {
  message.to = in.text();
  const std::uint8_t kind = in.byte();
  message.kind = static_cast<core::Message::Kind>(kind);
  message.key = in.hash();
  message.time = in.time();
  message.from = in.text();
  if (!read_id(in, plan.incentives.size(), message.incentive) ||
      !read_id(in, plan.referrals.size(), message.referral) ||
      !read_id(in, plan.campaigns.size(), message.campaign))
    return false;
  message.entry = in.hash();
  message.code = in.text();
  message.amount = in.signed_();
  const std::uint8_t reason = in.byte();
  message.reason = static_cast<core::Reason>(reason);
  message.what_is_left = in.boolean();
  message.hops = in.byte();
  for (std::size_t left = in.count(8); left > 0; --left) message.hashes.push_back(in.fixed64());
  message.known_as = in.text();
  return in.ok() && in.at_end() && !message.to.empty() &&
         kind <= static_cast<std::uint8_t>(core::Message::Kind::Apart) &&
         reason <= static_cast<std::uint8_t>(core::last_reason);
}

bool read(ByteReader& in, const plan::Plan& plan, LetterFrom& letter) {
  const std::uint64_t from = in.unsigned_();
  letter.from = static_cast<store::Group>(from);
  letter.number = in.unsigned_();
  return from < partition_count && durable::read(in, plan, letter.told);
}

// --- Of customers who are one person. Whom it is for stands first here too.

void write_texts(ByteWriter& out, const std::vector<std::string>& texts) {
  out.unsigned_(texts.size());
  for (const std::string& each : texts) out.text(each);
}

std::vector<std::string> read_texts(ByteReader& in) {
  std::vector<std::string> texts;
  for (std::size_t left = in.count(); left > 0 && in.ok(); --left) texts.emplace_back(in.text());
  return texts;
}

void write(ByteWriter& out, const core::Face& face) {
  out.text(face.id);
  out.time(face.created);
  out.unsigned_(face.identifiers.size());
  for (const Identifier& each : face.identifiers) {
    out.unsigned_(each.kind.index());
    out.text(each.text);
  }
  write_texts(out, face.names);
}

bool read(ByteReader& in, const Schema& schema, core::Face& face) {
  face.id = in.text();
  face.created = in.time();
  for (std::size_t left = in.count(2); left > 0 && in.ok(); --left) {
    const std::uint64_t kind = in.unsigned_();
    if (kind >= schema.identifiers.size()) return false;
    face.identifiers.push_back({IdentifierId::of(kind), std::string(in.text())});
  }
  face.names = read_texts(in);
  return in.ok() && std::is_sorted(face.identifiers.begin(), face.identifiers.end()) &&
         std::is_sorted(face.names.begin(), face.names.end());
}

void write(ByteWriter& out, const Meeting& meeting) {
  out.text(meeting.other);
  out.text(meeting.mine);
  write(out, meeting.face);
  out.time(meeting.at);
  out.unsigned_(meeting.link.index());
  out.unsigned_(meeting.number);
}

bool read(ByteReader& in, const plan::Plan& plan, Meeting& meeting) {
  meeting.other = in.text();
  meeting.mine = in.text();
  if (!read(in, plan.schema, meeting.face)) return false;
  meeting.at = in.time();
  const std::uint64_t link = in.unsigned_();
  if (link > plan.schema.identifiers.size()) return false;
  meeting.link = IdentifierId::of(link);
  meeting.number = in.unsigned_();
  return in.ok() && in.at_end() && !meeting.other.empty() && !meeting.mine.empty() &&
         meeting.face.id == meeting.mine;
}

void write(ByteWriter& out, const Verdict& verdict) {
  const bool is_back = verdict.kind == Verdict::Kind::Stays;
  out.text(is_back ? verdict.other : verdict.mine);
  out.byte(static_cast<std::uint8_t>(verdict.kind));
  out.text(is_back ? verdict.mine : verdict.other);
  out.unsigned_(verdict.number);
  out.text(verdict.stays);
  if (verdict.kind == Verdict::Kind::Go) out.time(verdict.since);
}

bool read(ByteReader& in, Verdict& verdict) {
  const std::string_view first = in.text();
  const std::uint8_t kind = in.byte();
  verdict.kind = static_cast<Verdict::Kind>(kind);
  const bool is_back = verdict.kind == Verdict::Kind::Stays;
  (is_back ? verdict.other : verdict.mine) = first;
  (is_back ? verdict.mine : verdict.other) = in.text();
  verdict.number = in.unsigned_();
  verdict.stays = in.text();
  if (verdict.kind == Verdict::Kind::Go) verdict.since = in.time();
  return in.ok() && in.at_end() && kind <= static_cast<std::uint8_t>(Verdict::Kind::Stays) &&
         !verdict.mine.empty() && !verdict.other.empty() &&
         verdict.stays.empty() == (verdict.kind != Verdict::Kind::Go);
}

void write(ByteWriter& out, const std::vector<Along>& inputs) {
  out.unsigned_(inputs.size());
  for (const Along& each : inputs) {
    out.time(each.stamp);
    out.text(encode(each.given));
  }
}

// What goes with a customer is his: events, receipts, and what he was told. Looked at before it is
// read, so that hostile bytes do not lead from one letter into the next without end.
bool may_go_along(std::string_view bytes) {
  ByteReader in(bytes);
  switch (static_cast<Mark>(in.byte())) {
    case Mark::Event:
    case Mark::Receipt: return true;
    case Mark::Letter:
      in.unsigned_(), in.unsigned_();
      return static_cast<Tells>(in.byte()) == Tells::Message;
    case Mark::Opening:
    case Mark::Attempt:
    case Mark::Call: break;
  }
  return false;
}

bool read(ByteReader& in, const plan::Plan& plan, std::vector<Along>& inputs) {
  for (std::size_t left = in.count(2); left > 0 && in.ok(); --left) {
    const Timestamp stamp = in.time();
    const std::string_view bytes = in.text();
    if (!may_go_along(bytes)) return false;
    auto input = decode_input(plan, bytes);
    if (!input) return false;
    inputs.push_back({stamp, given_of(*std::move(input))});
  }
  return in.ok();
}

void write(ByteWriter& out, const Arrival& arrival) {
  out.text(arrival.stays);
  out.text(arrival.goes);
  out.time(arrival.at);
  out.time(arrival.since);
  out.text(arrival.state);
  out.unsigned_(arrival.places.size());
  for (const CodePlace& each : arrival.places)
    for (const std::string* text : {&each.code, &each.customer, &each.incentive, &each.referral})
      out.text(*text);
  write(out, arrival.inputs);
}

bool read(ByteReader& in, const plan::Plan& plan, Arrival& arrival) {
  arrival.stays = in.text();
  arrival.goes = in.text();
  arrival.at = in.time();
  arrival.since = in.time();
  arrival.state = in.text();
  read_each(in, arrival.places);
  return read(in, plan, arrival.inputs) && in.at_end() && !arrival.stays.empty() &&
         !arrival.goes.empty() && arrival.stays != arrival.goes && !arrival.state.empty();
}

void write(ByteWriter& out, const Arrived& arrived) {
  out.text(arrived.goes);
  write_texts(out, arrived.codes);
}

bool read(ByteReader& in, Arrived& arrived) {
  arrived.goes = in.text();
  arrived.codes = read_texts(in);
  return in.ok() && in.at_end() && !arrived.goes.empty();
}

void write(ByteWriter& out, const Passed& passed) {
  out.text(passed.to);
  out.unsigned_(passed.hops);
  write(out, passed.inputs);
}

bool read(ByteReader& in, const plan::Plan& plan, Passed& passed) {
  passed.to = in.text();
  passed.hops = in.unsigned_();
  return read(in, plan, passed.inputs) && in.at_end() && !passed.to.empty() && passed.hops > 0 &&
         !passed.inputs.empty();
}

void write(ByteWriter& out, const Refused& refused) {
  out.text(refused.to);
  out.text(refused.customer);
  write_texts(out, refused.ids);
  out.unsigned_(refused.consents.size());
  for (const core::Consent& each : refused.consents) {
    out.byte(static_cast<std::uint8_t>(each.purpose));
    write_id(out, each.channel);
    out.boolean(each.granted);
    out.time(each.at);
  }
}

bool read(ByteReader& in, const plan::Plan& plan, Refused& refused) {
  refused.to = in.text();
  refused.customer = in.text();
  refused.ids = read_texts(in);
  for (std::size_t left = in.count(4); left > 0 && in.ok(); --left) {
    core::Consent& each = refused.consents.emplace_back();
    const std::uint8_t purpose = in.byte();
    if (purpose > static_cast<std::uint8_t>(plan::CampaignClass::Service)) return false;
    each.purpose = static_cast<plan::CampaignClass>(purpose);
    if (!read_id(in, plan.channels.size(), each.channel)) return false;
    each.granted = in.boolean();
    each.at = in.time();
  }
  return in.ok() && in.at_end() && !refused.to.empty() && !refused.customer.empty() &&
         !refused.consents.empty();
}

Tells tells(const Told& told) { return static_cast<Tells>(told.index() + 1); }

}  // namespace

void write(ByteWriter& out, const Told& told) {
  out.byte(static_cast<std::uint8_t>(tells(told)));
  std::visit([&](const auto& each) { write(out, each); }, told);
}

bool read(ByteReader& in, const plan::Plan& plan, Told& told) {
  switch (static_cast<Tells>(in.byte())) {
    case Tells::Message: return read(in, plan, told.emplace<core::Message>());
    case Tells::Loan: return core::read(in, told.emplace<core::Loan>()) && in.at_end();
    case Tells::Meeting: return read(in, plan, told.emplace<Meeting>());
    case Tells::Verdict: return read(in, told.emplace<Verdict>());
    case Tells::Arrival: return read(in, plan, told.emplace<Arrival>());
    case Tells::Arrived: return read(in, told.emplace<Arrived>());
    case Tells::Passed: return read(in, plan, told.emplace<Passed>());
    case Tells::Refused: return read(in, plan, told.emplace<Refused>());
  }
  return false;
}

namespace {
struct CustomerOfLetter {
  std::string_view operator()(const core::Message& message) const { return message.to; }
  std::string_view operator()(const core::Loan&) const { return {}; }
  std::string_view operator()(const Meeting& meeting) const { return meeting.other; }
  std::string_view operator()(const Verdict& verdict) const {
    return verdict.kind == Verdict::Kind::Stays ? verdict.other : verdict.mine;
  }
  std::string_view operator()(const Arrival& arrival) const { return arrival.stays; }
  std::string_view operator()(const Arrived& arrived) const { return arrived.goes; }
  std::string_view operator()(const Passed& passed) const { return passed.to; }
  std::string_view operator()(const Refused& refused) const { return refused.to; }
};
}  // namespace

bool is_beyond_ids(const Event& event, Timestamp stamp, const plan::Policy& policy) {
  return event.time < stamp - policy.id_horizon && event.type != type_of(EngineEvent::Unsubscribed);
}

std::string_view customer_of(const Given& given) {
  const auto* letter = std::get_if<LetterFrom>(&given);
  if (!letter)
    return std::visit(
        [](const auto& each) -> std::string_view {
          if constexpr (std::is_same_v<std::decay_t<decltype(each)>, LetterFrom>)
            return {};
          else
            return each.customer;
        },
        given);
  return customer_of(*letter);
}

std::string_view customer_of(const LetterFrom& letter) {
  return std::visit(CustomerOfLetter{}, letter.told);
}

Given given_of(Input input) {
  return std::visit(
      [](auto&& each) -> Given {
        if constexpr (std::is_same_v<std::decay_t<decltype(each)>, Opening>)
          KOI_ASSERT(false);
        else
          return std::move(each);
      },
      std::move(input));
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
    write_rest(out, *event);
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
  } else if (const auto* call = std::get_if<core::Call>(&given)) {
    mark(out, Mark::Call);
    write(out, *call);
  } else {
    mark(out, Mark::Letter);
    const auto& letter = std::get<LetterFrom>(given);
    out.unsigned_(letter.from);
    out.unsigned_(letter.number);
    write(out, letter.told);
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
    case Mark::Letter: good = read(in, plan, input.emplace<LetterFrom>()); break;
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
    case Mark::Letter:
      in.unsigned_(), in.unsigned_();
      return static_cast<Tells>(in.byte()) != Tells::Loan ? in.text() : std::string_view();
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
