#include "durable/input.h"

#include <utility>
#include <vector>

#include "model/codec.h"

namespace koi::durable {

namespace {

enum class Mark : std::uint8_t { Opening = 1, Event = 2, Receipt = 3, Attempt = 4 };

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

bool read(ByteReader& in, const Schema& schema, Event& event) {
  event.id = in.text();
  const std::uint64_t type = in.unsigned_();
  event.time = in.time();
  event.customer = in.text();
  if (!in.ok() || event.id.empty() || type >= schema.events.size()) return false;
  event.type = EventTypeId::of(type);
  const std::vector<Field>& fields = schema[event.type].fields;
  if (in.count() != fields.size()) return false;
  event.fields.reserve(fields.size());
  for (const Field& field : fields) {
    event.fields.push_back(in.value());
    if (!in.ok() || !fits(schema, field.type, event.fields.back())) return false;
  }
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

std::string encode(const Given& given) {
  std::string row;
  row.reserve(usual_row);
  ByteWriter out(std::move(row));
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
  } else {
    const auto& attempt = std::get<AttemptFor>(given);
    mark(out, Mark::Attempt);
    out.text(attempt.customer);
    out.hash(attempt.key);
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
