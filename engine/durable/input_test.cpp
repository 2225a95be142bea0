#include "durable/input.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <random>

#include "durable/detail/trial.h"

namespace koi::durable {
namespace {

class Inputs : public ::testing::Test {
 protected:
  std::uint64_t number(std::uint64_t below) { return chance_() % below; }
  std::int64_t any_number() { return static_cast<std::int64_t>(chance_()) >> number(64); }
  std::string any_text() {
    std::string text(number(40), '\0');
    for (char& c : text) c = static_cast<char>(chance_());
    return text;
  }
  core::Call any_call() {
    core::Call call;
    constexpr std::array kinds{core::Call::Kind::Lock, core::Call::Kind::Redeem,
                               core::Call::Kind::RollBack, core::Call::Kind::Claim,
                               core::Call::Kind::Stock};
    call.kind = kinds[number(kinds.size())];
    call.id = "k" + any_text();
    call.customer = any_text();
    call.code = any_text();
    call.order = any_text();
    call.said = chance_();
    call.amount = static_cast<std::int64_t>(chance_() >> 1);
    call.hold.us = static_cast<std::int64_t>(chance_() >> 1);
    if (number(2) == 0) {
      const Event order = trial_order(plan_, "e", "c", {0}, any_number());
      call.facts.push_back({order.type, order.fields});
    }
    for (std::uint64_t left = number(3); left > 0; --left) call.together.push_back(any_text());
    return call;
  }
  Identifier any_identifier() { return {IdentifierId::of(0), any_text()}; }
  std::vector<std::string> any_texts() {
    std::vector<std::string> texts;
    for (std::uint64_t left = number(3); left > 0; --left) texts.push_back(any_text());
    return texts;
  }
  Meeting any_meeting() {
    Meeting made;
    made.other = "o" + any_text();
    made.mine = made.face.id = "m" + any_text();
    made.face.created = {any_number()};
    for (std::uint64_t left = number(3); left > 0; --left)
      made.face.identifiers.push_back(any_identifier());
    std::sort(made.face.identifiers.begin(), made.face.identifiers.end());
    made.face.names = any_texts();
    std::sort(made.face.names.begin(), made.face.names.end());
    made.at = {any_number()};
    made.link = IdentifierId::of(number(2));
    made.number = chance_();
    return made;
  }
  std::vector<Along> any_along() {
    std::vector<Along> inputs;
    for (std::uint64_t left = number(3); left > 0; --left) switch (number(3)) {
        case 0: inputs.push_back({{any_number()}, any_event()}); break;
        case 1:
          inputs.push_back({{any_number()}, ReceiptFor{any_text(), {{chance_(), chance_()}}}});
          break;
        default: {
          core::Message message;
          message.to = "c" + any_text();
          inputs.push_back({{any_number()}, LetterFrom{1, chance_(), std::move(message)}});
        }
      }
    return inputs;
  }
  Told any_told() {
    switch (number(6)) {
      case 0: return any_meeting();
      case 1: {
        const auto kind = static_cast<Verdict::Kind>(number(6));
        return Verdict{kind,
                       "m" + any_text(),
                       "o" + any_text(),
                       chance_(),
                       kind == Verdict::Kind::Go ? "s" + any_text() : std::string(),
                       {kind == Verdict::Kind::Go ? any_number() : 0}};
      }
      case 2: {
        Arrival made{"s" + any_text(),
                     "g" + any_text(),
                     {any_number()},
                     {any_number()},
                     "state" + any_text()};
        made.stays += "s";
        for (std::uint64_t left = number(3); left > 0; --left)
          made.places.push_back({any_text(), any_text(), any_text(), any_text()});
        made.inputs = any_along();
        return made;
      }
      case 3: return Arrived{"g" + any_text(), any_texts()};
      case 4: {
        Passed made{"t" + any_text(), 1 + number(1000), any_along()};
        made.inputs.push_back({{any_number()}, any_event()});
        return made;
      }
      default: {
        Refused made{"t" + any_text(), "c" + any_text(), any_texts(), {}};
        for (std::uint64_t left = 1 + number(3); left > 0; --left)
          made.consents.push_back({static_cast<plan::CampaignClass>(number(3)),
                                   number(2) == 0 ? plan::ChannelId() : plan::ChannelId::of(1),
                                   number(2) == 0,
                                   {any_number()}});
        return made;
      }
    }
  }
  Given any_given() {
    if (number(4) == 0) return any_call();
    if (number(4) == 0)
      return LetterFrom{static_cast<store::Group>(number(9)), chance_(), any_told()};
    if (number(4) == 0) {
      const auto failure = static_cast<Failure>(number(7));
      const bool unknown = failure == Failure::None && number(2) == 0;
      return ReceiptFor{any_text(),
                        {{chance_(), chance_()},
                         {any_number()},
                         failure,
                         unknown,
                         number(3) == 0 ? any_text() : std::string()}};
    }
    return any_event();
  }
  Event any_event() {
    Event event = trial_order(plan_, "e" + any_text(), any_text(), {any_number()}, any_number());
    if (number(3) == 0) event.fields[0] = {};
    if (number(2) == 0) {
      std::vector<Value> notes;
      for (std::uint64_t left = number(4); left > 0; --left)
        notes.push_back(Value::text(any_text()));
      event.fields[2] = Value::list(std::move(notes));
    }
    for (std::uint64_t left = number(3); left > 0; --left)
      event.identifiers.push_back({IdentifierId::of(0), any_text()});
    for (std::uint64_t left = number(3); left > 0; --left)
      event.met.push_back(
          {{IdentifierId::of(0), any_text()}, "c" + any_text(), IdentifierId::of(number(2))});
    return event;
  }
  static bool equal(const Given& a, const Input& b) {
    if (const auto* event = std::get_if<Event>(&a)) {
      const auto* other = std::get_if<Event>(&b);
      return other && event->id == other->id && event->type == other->type &&
             event->time == other->time && event->customer == other->customer &&
             event->fields == other->fields && event->identifiers == other->identifiers &&
             event->met == other->met;
    }
    if (const auto* call = std::get_if<core::Call>(&a)) {
      const auto* other = std::get_if<core::Call>(&b);
      return other && *call == *other;
    }
    if (const auto* letter = std::get_if<LetterFrom>(&a)) {
      const auto* other = std::get_if<LetterFrom>(&b);
      return other && letter->from == other->from && letter->number == other->number &&
             equal(letter->told, other->told);
    }
    const auto& receipt = std::get<ReceiptFor>(a);
    const auto* other = std::get_if<ReceiptFor>(&b);
    return other && receipt.customer == other->customer &&
           receipt.receipt.key == other->receipt.key &&
           receipt.receipt.time == other->receipt.time &&
           receipt.receipt.failure == other->receipt.failure &&
           receipt.receipt.unknown == other->receipt.unknown &&
           receipt.receipt.by == other->receipt.by;
  }

  static bool equal(const std::vector<Along>& a, const std::vector<Along>& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const Along& x, const Along& y) {
      return x.stamp == y.stamp &&
             std::visit([&](const auto& other) { return equal(x.given, Input(other)); }, y.given);
    });
  }
  static bool equal(const Told& a, const Told& b) {
    if (a.index() != b.index()) return false;
    if (const auto* message = std::get_if<core::Message>(&a))
      return message->to == std::get<core::Message>(b).to;
    if (const auto* meeting = std::get_if<Meeting>(&a)) return *meeting == std::get<Meeting>(b);
    if (const auto* verdict = std::get_if<Verdict>(&a)) return *verdict == std::get<Verdict>(b);
    if (const auto* arrived = std::get_if<Arrived>(&a)) return *arrived == std::get<Arrived>(b);
    if (const auto* refused = std::get_if<Refused>(&a)) return *refused == std::get<Refused>(b);
    if (const auto* arrival = std::get_if<Arrival>(&a)) {
      const auto& other = std::get<Arrival>(b);
      return arrival->stays == other.stays && arrival->goes == other.goes &&
             arrival->at == other.at && arrival->since == other.since &&
             arrival->state == other.state && arrival->places == other.places &&
             equal(arrival->inputs, other.inputs);
    }
    const auto& passed = std::get<Passed>(a);
    const auto& other = std::get<Passed>(b);
    return passed.to == other.to && passed.hops == other.hops && equal(passed.inputs, other.inputs);
  }

  plan::Plan plan_ = trial_plan();
  std::mt19937_64 chance_{1};
};

TEST_F(Inputs, AreReadAsTheyWereWritten) {
  for (int i = 0; i < 5000; ++i) {
    const Given given = any_given();
    const auto read = decode_input(plan_, encode(given));
    ASSERT_TRUE(read);
    ASSERT_TRUE(equal(given, *read));
    const Opening opening{{any_number()},
                          static_cast<std::uint32_t>(chance_()),
                          static_cast<std::uint32_t>(number(300)),
                          chance_()};
    const auto opened = decode_input(plan_, encode(opening));
    ASSERT_TRUE(opened);
    ASSERT_EQ(std::get<Opening>(*opened), opening);
    ASSERT_EQ(decode_opening(encode(opening)), opening);
    ASSERT_EQ(decode_opening(encode(given)), std::nullopt);
    ASSERT_EQ(customer_in(encode(given)), customer_of(given));
    ASSERT_EQ(customer_in(encode(opening)), "");
  }
}

TEST_F(Inputs, ThatGoAlongWithACustomerAreHisAlone) {
  Arrival arrival{"stays", "goes", {1}, {2}, "state", {}, {}};
  const auto reads = [&](Given given) {
    arrival.inputs = {{{1}, std::move(given)}};
    return bool(decode_input(plan_, encode(LetterFrom{1, 1, arrival})));
  };
  EXPECT_TRUE(reads(any_event()));
  EXPECT_FALSE(reads(any_call()));
  EXPECT_FALSE(reads(AttemptFor{"goes", {}}));
  const Arrival other{"stays", "goes", {1}, {2}, "state", {}, {}};
  EXPECT_FALSE(reads(LetterFrom{1, 1, other}));
}

TEST_F(Inputs, OfHostileBytesAreRefusedOrAreInputsOfTheSchema) {
  int refused = 0, taken = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string bytes = encode(any_given());
    switch (number(4)) {
      case 0: bytes.resize(number(bytes.size() + 1)); break;
      case 1: bytes[number(bytes.size())] = static_cast<char>(chance_()); break;
      case 2: bytes.insert(number(bytes.size()), any_text()); break;
      default: bytes = static_cast<char>(number(6)) + any_text() + any_text(); break;
    }
    const auto read = decode_input(plan_, bytes);
    if (!read) {
      EXPECT_EQ(read.error().code, "corrupt");
      ++refused;
      continue;
    }
    ++taken;
    const auto* event = std::get_if<Event>(&*read);
    if (!event) continue;
    ASSERT_LT(event->type.index(), plan_.schema.events.size());
    const auto& fields = plan_.schema[event->type].fields;
    ASSERT_EQ(event->fields.size(), fields.size());
    for (std::size_t f = 0; f < fields.size(); ++f)
      if (!event->fields[f].is_missing()) {
        ASSERT_EQ(event->fields[f].kind(), fields[f].type.kind);
      }
    for (const Identifier& identifier : event->identifiers) ASSERT_EQ(identifier.kind.index(), 0u);
  }
  EXPECT_GT(refused, 1000);
  EXPECT_GT(taken, 1000);
}

}  // namespace
}  // namespace koi::durable
