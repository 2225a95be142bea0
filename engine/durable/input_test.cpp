#include "durable/input.h"

#include <gtest/gtest.h>

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
  Given any_given() {
    if (number(4) == 0) return any_call();
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
    const auto& receipt = std::get<ReceiptFor>(a);
    const auto* other = std::get_if<ReceiptFor>(&b);
    return other && receipt.customer == other->customer &&
           receipt.receipt.key == other->receipt.key &&
           receipt.receipt.time == other->receipt.time &&
           receipt.receipt.failure == other->receipt.failure &&
           receipt.receipt.unknown == other->receipt.unknown &&
           receipt.receipt.by == other->receipt.by;
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
