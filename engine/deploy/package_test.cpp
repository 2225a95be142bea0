#include "deploy/package.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/hash.h"

namespace koi::deploy {
namespace {

Package small() {
  return {.files = {{"a.koi", "event order {}\n"}, {"团/b.koi", "# 空\n"}},
          .campaigns = {"thank", "新人"},
          .plan = "campaign thank\n",
          .tests = {{"who orders is thanked", true}},
          .coverage = {.seen = 3, .of = 4, .unseen = {"a.koi:1:1 nothing was sent"}},
          .signatures = {}};
}

TEST(Package, IsReadBackAsItWasWritten) {
  Package package = small();
  EXPECT_EQ(*decode_package(encode(package), "x"), package);
  EXPECT_EQ(*decode_package(encode(Package()), "x"), Package());
  const std::string one = *make_private_key(), two = *make_private_key();
  ASSERT_TRUE(sign(package, one));
  ASSERT_TRUE(sign(package, two));
  ASSERT_TRUE(sign(package, one));
  EXPECT_EQ(package.signatures.size(), 2u);
  EXPECT_EQ(*decode_package(encode(package), "x"), package);
  EXPECT_EQ(content_hash(package), content_hash(small())) << "signatures are not content";
}

TEST(Package, ItsBytesAreTheSameOnEveryMachine) {
  EXPECT_EQ(content_hash(small()),
            "d8023568095ec8bdfb3e491f1f4985f930c0d9a259bd2d76f1c9ded7a662fe9d");
}

TEST(Package, AnyOtherByteAnywhereIsRefused) {
  Package package = small();
  ASSERT_TRUE(sign(package, *make_private_key()));
  ASSERT_TRUE(sign(package, *make_private_key()));
  const std::string whole = encode(package);
  for (std::size_t i = 0; i < whole.size(); ++i)
    for (const int flip : {1, 0x20, 0x80, 0xff}) {
      std::string altered = whole;
      altered[i] = static_cast<char>(altered[i] ^ flip);
      const auto read = decode_package(altered, "spring.koib");
      ASSERT_FALSE(read) << "byte " << i << " of " << whole.size();
      EXPECT_TRUE(read.error().code == "corrupt" || read.error().code == "newer" ||
                  read.error().code == "older")
          << i;
      EXPECT_TRUE(read.error().what.starts_with("spring.koib"));
    }
}

TEST(Package, ATextThatEndsTooEarlyOrGoesOnIsRefused) {
  Package package = small();
  ASSERT_TRUE(sign(package, *make_private_key()));
  const std::string whole = encode(package);
  for (std::size_t size = 0; size < whole.size(); ++size)
    ASSERT_FALSE(decode_package(std::string_view(whole).substr(0, size), "x")) << size;
  EXPECT_FALSE(decode_package(whole + '\0', "x"));
}

TEST(Package, ASignatureOfAnotherPackageIsNoneOfThisOne) {
  Package package = small(), other = small();
  other.files[0].text += " ";
  ASSERT_TRUE(sign(other, *make_private_key()));
  package.signatures = other.signatures;
  EXPECT_EQ(decode_package(encode(package), "x").error().code, "corrupt");
}

TEST(Package, IsTrustedWhereOneOfTheRingHasSignedIt) {
  const std::string ann = *make_private_key(), bo = *make_private_key();
  const KeyRing ring = *KeyRing::parse(
      "# who may deploy\n\n" + line_of(*public_key_of(ann), "ann") + "\t \r\n", "ring");
  Package package = small();
  EXPECT_EQ(signed_by(package, ring).error().code, "unsigned");
  ASSERT_TRUE(sign(package, bo));
  EXPECT_EQ(signed_by(package, ring).error().code, "stranger");
  ASSERT_TRUE(sign(package, ann));
  EXPECT_THAT(*signed_by(package, ring), testing::ElementsAre("ann"));
}

TEST(Package, ARingThatIsNoneIsRefusedWithItsLine) {
  const std::string good = line_of(*public_key_of(*make_private_key()), "ann");
  for (const std::string& bad :
       {std::string(), std::string("# nobody\n"), good + good, "rsa" + good,
        good + "ed25519 12 bo\n", good.substr(0, good.size() - 4),
        good + "ed25519 " + std::string(64, 'G') + " bo"}) {
    const auto ring = KeyRing::parse(bad, "ring.txt");
    ASSERT_FALSE(ring) << bad;
    EXPECT_EQ(ring.error().code, "keys");
    EXPECT_TRUE(ring.error().what.starts_with("ring.txt"));
  }
}

// RFC 8032, section 7.1, test 2.
TEST(Keys, SignAsTheStandardSays) {
  const std::string pem =
      "-----BEGIN PRIVATE KEY-----\n"
      "MC4CAQAwBQYDK2VwBCIEIEzNCJso/5banbbDRuwRTg9bijGfNaumJNqM9u1PuKb7\n"
      "-----END PRIVATE KEY-----\n";
  EXPECT_EQ(line_of(*public_key_of(pem), "rfc"),
            "ed25519 3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c rfc\n");
  const Signature made = *sign(pem, "\x72");
  EXPECT_EQ(hex_of(made.bytes),
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
            "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00");
  EXPECT_TRUE(is_good(made, "\x72"));
  EXPECT_FALSE(is_good(made, "\x73"));
}

TEST(Keys, WhatIsNoKeySignsNothing) {
  for (const char* bad : {"", "-----BEGIN PRIVATE KEY-----\n", "text"}) {
    EXPECT_EQ(sign(bad, "m").error().code, "key");
    EXPECT_EQ(public_key_of(bad).error().code, "key");
  }
  Package package;
  EXPECT_EQ(sign(package, "none").error().code, "key");
}

TEST(Package, TheServerMakesThePlanOfItThatItsTestsWereRunWith) {
  Package package;
  package.files = {{"a.koi", "event order {}\nmetric orders = count order\n"}};
  package.plan = plan_text(*compile(Bundle{1, package.files}));
  EXPECT_TRUE(check_plan(package));
  package.plan.back() = package.plan.back() == '0' ? '1' : '0';
  EXPECT_EQ(check_plan(package).error().code, "plan");
  package.files[0].text += "metric more = count nothing\n";
  EXPECT_EQ(check_plan(package).error().code, "rules");
}

}  // namespace
}  // namespace koi::deploy
