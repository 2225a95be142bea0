#include "channel/crypto.h"

#include <gtest/gtest.h>

#include "base/hash.h"

namespace koi::channel {
namespace {

// RFC 4231, test cases 1, 2 and 6; the latter's key is longer than a block.
TEST(Crypto, Sha256IsKeyedAsPublished) {
  EXPECT_EQ(hex_of(hmac_sha256(std::string(20, '\x0b'), "Hi There")),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  EXPECT_EQ(hex_of(hmac_sha256("Jefe", "what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(hex_of(hmac_sha256(std::string(131, '\xaa'),
                               "Test Using Larger Than Block-Size Key - Hash Key First")),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

// FIPS 180-4's example, and RFC 1321's.
TEST(Crypto, DigestsAreAsPublished) {
  EXPECT_EQ(hex_of(sha256("abc")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(hex_of(sha1("abc")), "a9993e364706816aba3e25717850c26c9cd0d89d");
  EXPECT_EQ(hex_of(md5("abc")), "900150983cd24fb0d6963f7d28e17f72");
}

TEST(Crypto, RandomBytesAreOthersEachTime) {
  EXPECT_EQ(random_bytes(16).size(), 16u);
  EXPECT_NE(random_bytes(16), random_bytes(16));
}

TEST(Crypto, SecretsAreTheSameWhereEachByteIs) {
  EXPECT_TRUE(is_same_secret("", ""));
  EXPECT_TRUE(is_same_secret("secret", "secret"));
  EXPECT_FALSE(is_same_secret("secret", "secres"));
  EXPECT_FALSE(is_same_secret("secret", "secre"));
}

TEST(Base64, IsReadBackAndNothingElseIs) {
  for (std::size_t size = 0; size < 20; ++size) {
    std::string bytes(size, '\xfe');
    EXPECT_EQ(*from_base64(base64(bytes)), bytes);
  }
  for (const char* const text : {"A", "AA", "AAA", "A===", "AA=A", "A A=", "AAA-"})
    EXPECT_FALSE(from_base64(text)) << text;
}

}  // namespace
}  // namespace koi::channel
