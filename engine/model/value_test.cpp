#include "model/value.h"

#include <gtest/gtest.h>

#include <random>

#include "model/codec.h"

namespace koi {
namespace {

TEST(Value, KeepsTextsOfEveryLengthThroughCopiesAndMoves) {
  for (std::size_t length = 0; length < 40; ++length) {
    const std::string text(length, 'x');
    Value value = Value::text(text);
    Value copy = value;
    Value moved = std::move(value);
    EXPECT_EQ(copy.as_text(), text);
    EXPECT_EQ(moved.as_text(), text);
    EXPECT_TRUE(value.is_missing());  // NOLINT(bugprone-use-after-move): that is the promise
    copy = Value::integer(1);
    copy = moved;
    EXPECT_EQ(copy, moved);
    EXPECT_EQ(copy.heap_bytes() == 0, length <= 14);
  }
}

TEST(Value, OrdersTextsByBytesAndListsByElements) {
  EXPECT_LT(Value::text("ab"), Value::text("abc"));
  EXPECT_LT(Value::text("a much longer text than fits"), Value::text("b"));
  EXPECT_LT(Value::list({Value::integer(1)}), Value::list({Value::integer(1), Value::integer(0)}));
  EXPECT_NE(Value::integer(1), Value::money(1));
}

Value random_value(std::mt19937_64& random, int depth = 0) {
  switch (random() % (depth < 2 ? 5 : 4)) {
    case 0: return {};
    case 1: return Value::text(std::string(random() % 30, static_cast<char>('a' + random() % 26)));
    case 2: return Value::raw(Kind::Money, static_cast<std::int64_t>(random()));
    case 3: return Value::instant({static_cast<std::int64_t>(random() % 1'000'000)});
    default: {
      std::vector<Value> elements(random() % 4);
      for (Value& element : elements) element = random_value(random, depth + 1);
      return Value::list(std::move(elements));
    }
  }
}

TEST(Codec, ValuesComeBackAndEqualOnesGiveEqualBytes) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 3000; ++i) {
    const Value value = random_value(random);
    ByteWriter out, again;
    out.value(value);
    again.value(Value(value));
    EXPECT_EQ(out.bytes(), again.bytes());
    ByteReader in(out.bytes());
    EXPECT_EQ(in.value(), value);
    EXPECT_TRUE(in.ok() && in.at_end());
  }
}

TEST(Codec, ReadsTheExtremesOfNumbers) {
  ByteWriter out;
  for (const std::int64_t n : {INT64_MIN, INT64_MAX, std::int64_t{0}, std::int64_t{-1}})
    out.signed_(n);
  out.unsigned_(UINT64_MAX);
  ByteReader in(out.bytes());
  for (const std::int64_t n : {INT64_MIN, INT64_MAX, std::int64_t{0}, std::int64_t{-1}})
    EXPECT_EQ(in.signed_(), n);
  EXPECT_EQ(in.unsigned_(), UINT64_MAX);
  EXPECT_TRUE(in.ok() && in.at_end());
}

TEST(Codec, HostileBytesEndInAFaultNotInMemory) {
  std::mt19937_64 random(2);
  for (int i = 0; i < 20'000; ++i) {
    std::string bytes(random() % 24, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random());
    ByteReader in(bytes);
    in.value();
    in.text();
    in.unsigned_();
    if (!in.ok()) {
      EXPECT_EQ(in.unsigned_(), 0u);
      EXPECT_TRUE(in.value().is_missing());
    }
  }
  ByteReader huge("\x0b\xff\xff\xff\xff\x0f");  // a list of 4 billion elements in six bytes
  EXPECT_EQ(huge.value(), Value::list({}));
  EXPECT_FALSE(huge.ok());
}

}  // namespace
}  // namespace koi
