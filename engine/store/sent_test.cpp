#include "store/sent.h"

#include <gtest/gtest.h>

#include "base/scratch.h"

namespace koi::store {
namespace {

SentMessage message(std::uint64_t number, Timestamp time) {
  return {time,
          {7, number},
          "ann",
          "mail",
          "welcome",
          "hello",
          "https://shop.example/?n=" + std::to_string(number)};
}
const Timestamp sent_at = *parse_instant("2026-03-02T12:00:00.25Z");

TEST(Sent, IsFoundByItsNameOverAStart) {
  const Scratch folder;
  std::string secret;
  {
    auto directory = Directory::open(folder.path());
    ASSERT_TRUE(directory);
    auto sent = Sent::open(*directory);
    ASSERT_TRUE(sent) << sent.error().what;
    secret = (*sent)->secret();
    EXPECT_EQ(secret.size(), 32u);
    const std::vector<SentMessage> both{message(1, sent_at), message(2, sent_at)};
    ASSERT_TRUE((*sent)->add(both));
    ASSERT_TRUE((*sent)->add(both)) << "the same again is one";
  }
  auto directory = Directory::open(folder.path());
  auto sent = Sent::open(*directory);
  ASSERT_TRUE(sent) << sent.error().what;
  EXPECT_EQ((*sent)->secret(), secret) << "links that went out must stay good";
  for (const std::uint64_t number : {1, 2}) {
    const auto found = (*sent)->find(message(number, sent_at).name());
    ASSERT_TRUE(found);
    ASSERT_TRUE(*found);
    EXPECT_EQ(**found, message(number, sent_at));
  }
  EXPECT_FALSE(*(*sent)->find(message(3, sent_at).name()));
  EXPECT_FALSE(*(*sent)->find(message(1, sent_at + seconds(1)).name()));
}

TEST(Sent, OldOnesAreDropped) {
  const Scratch folder;
  auto directory = Directory::open(folder.path());
  auto sent = Sent::open(*directory);
  ASSERT_TRUE(sent);
  const std::vector<SentMessage> both{message(1, sent_at), message(2, sent_at + days(10))};
  ASSERT_TRUE((*sent)->add(both));
  ASSERT_TRUE((*sent)->drop(sent_at + days(5)));
  EXPECT_FALSE(*(*sent)->find(both[0].name()));
  EXPECT_TRUE(*(*sent)->find(both[1].name()));
}

}  // namespace
}  // namespace koi::store
