#include "model/entry.h"

#include <gtest/gtest.h>

namespace koi {
namespace {

std::string kept(TextKind kind, std::string_view text) {
  std::string room;
  const auto entry = entry_of(kind, text, room);
  return entry ? std::string(*entry) : "(refused)";
}

TEST(Entry, PhonesAreDigitsWithoutWhatStandsBetweenThem) {
  EXPECT_EQ(kept(TextKind::Phone, "13800138000"), "13800138000");
  EXPECT_EQ(kept(TextKind::Phone, "+86 138-0013-8000"), "+8613800138000");
  EXPECT_EQ(kept(TextKind::Phone, "(020) 7946.0958"), "02079460958");
  for (const char* bad : {"", "1234", "1234567890123456", "138+0013", "138x0013800",
                          "１３８００１３８０００", "++4912345"})
    EXPECT_EQ(kept(TextKind::Phone, bad), "(refused)") << bad;
}

TEST(Entry, EmailsAreOneSpellingInLowerCase) {
  EXPECT_EQ(kept(TextKind::Email, "ann@example.com"), "ann@example.com");
  EXPECT_EQ(kept(TextKind::Email, "Ann.B+shop@Example.COM"), "ann.b+shop@example.com");
  EXPECT_EQ(kept(TextKind::Email, "安@例子.中国"), "安@例子.中国");
  for (const char* bad :
       {"", "ann", "@example.com", "ann@", "ann@localhost", "ann@@example.com", "a b@example.com",
        ".ann@example.com", "ann@-example.com", "ann@example..com", "ann@example.com\n"})
    EXPECT_EQ(kept(TextKind::Email, bad), "(refused)") << bad;
  EXPECT_EQ(kept(TextKind::Email, std::string(250, 'a') + "@example.com"), "(refused)");
}

TEST(Entry, AddressesBeginWithHttpAndHaveAHost) {
  for (const char* good :
       {"https://m.example.com/cart?x=1#y", "http://localhost:8080", "https://例子.中国/路"})
    EXPECT_EQ(kept(TextKind::Url, good), good);
  for (const char* bad :
       {"", "example.com", "ftp://example.com", "https://", "https:///x", "https://a b.com",
        "javascript:alert(1)", "https://host:port/", "https://user@host"})
    EXPECT_EQ(kept(TextKind::Url, bad), "(refused)") << bad;
}

TEST(Entry, CodesAreShortAndPlain) {
  EXPECT_EQ(kept(TextKind::Code, "CART-7F_2a"), "CART-7F_2a");
  for (const char* bad : {"", "a b", "券码", "x;y"})
    EXPECT_EQ(kept(TextKind::Code, bad), "(refused)") << bad;
  EXPECT_EQ(kept(TextKind::Code, std::string(65, 'a')), "(refused)");
}

}  // namespace
}  // namespace koi
