// Calls that a customer of another group has to answer: a friend claims a share of somebody's
// packet.
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "deploy/detail/town.h"
#include "durable/by_hand.h"

namespace koi::deploy {
namespace {

struct Packet {
  std::string code, giver;
};

// One that friends can share.
Packet packet_given(Town& town) {
  for (int i = 0;; ++i) {
    town.submit({"order",
                 "o" + std::to_string(i),
                 "c" + std::to_string(i),
                 town.now(),
                 {{"amount", Value::money(90'00)}}});
    town.come_to_rest();
    for (const auto& [key, one] : town.handed.all)
      if (one.action == core::Action::Give && !one.code.empty()) return {one.code, one.customer};
  }
}

// A page on which a friend, who belongs to another group than the giver, asks for his share.
class Page {
 public:
  Page(Town& town, const Packet& packet) : town_(town) {
    claim.kind = core::Call::Kind::Claim;
    claim.id = "till 7, receipt 12";
    const store::Group givers = town.groups_.group_of(partition_of(packet.giver));
    const auto another = static_cast<store::Group>((givers + 1) % town.groups_.count);
    claim.customer = durable::id_of(town.groups_, another, "f");
    claim.code = packet.code;
    town.writers().find_places({packet.code}, [&](Result<std::vector<CodePlace>> found) {
      ASSERT_TRUE(found);
      claim.places = *std::move(found);
    });
    EXPECT_EQ(claim.places.size(), 1u);
    EXPECT_EQ(claim.places[0].customer, packet.giver);
  }
  void ask() {
    std::vector<durable::Given> given;
    given.emplace_back(claim);
    ASSERT_TRUE(
        town_.writers().submit(std::move(given), [&](Result<std::vector<durable::Answer>> answers) {
          if (answers && answers->front().call) answer = *answers->front().call;
        }));
  }

  core::Call claim;
  std::optional<core::Answer> answer;

 private:
  Town& town_;
};

TEST(CallOverGroups, IsAnsweredWhenTheGiverInAnotherGroupHasSaid) {
  Town town(fair(), 3, 1);
  Page page(town, packet_given(town));
  town.lose_one_in(1);
  page.ask();
  durable::run_dry(town.writers());
  EXPECT_FALSE(page.answer) << "nobody has said anything yet";
  town.kill();  // and nobody will tell this caller, who asks again
  page.ask();
  durable::run_dry(town.writers());
  EXPECT_FALSE(page.answer);
  town.lose_one_in(0);
  town.come_to_rest();
  ASSERT_TRUE(page.answer);
  EXPECT_EQ(page.answer->reason, core::Reason::None);
  EXPECT_GT(page.answer->amount, 0);
  const core::Answer first = *std::exchange(page.answer, std::nullopt);
  page.ask();
  town.come_to_rest();
  EXPECT_EQ(page.answer, first);
}

// Seed 1490 of the simulator's worlds over groups: it was on its way for ever.
TEST(CallOverGroups, IsAnsweredWhereTheGiverCannotDecideIt) {
  Town town(fair(), 2, 1);
  const Packet packet = packet_given(town);
  const store::Group givers = town.groups_.group_of(partition_of(packet.giver));
  Page page(town, packet);
  const store::Position before = *town.journal().last(givers);
  page.ask();
  for (int tries = 0; *town.journal().last(givers) == before; ++tries) {
    ASSERT_LT(tries, 10);
    ASSERT_TRUE(town.writers().commit());
    ASSERT_TRUE(town.writers().step(static_cast<store::Group>(1 - givers)));
  }
  // The letter is the last of its batch, and crashes the process; nobody was told anything.
  const store::Position letter = *town.journal().last(givers);
  town.close();
  ASSERT_TRUE(town.journal().set_aside(givers, *town.journal().take(givers), {letter, 0}));
  town.kill();
  page.ask();
  town.come_to_rest();
  ASSERT_TRUE(page.answer);
  EXPECT_EQ(page.answer->reason, core::Reason::Failed);
  town.expect_at_rest();
  // Under another key he may try once more.
  page.answer.reset();
  page.claim.id = "till 7, receipt 13";
  page.ask();
  town.come_to_rest();
  ASSERT_TRUE(page.answer);
  EXPECT_EQ(page.answer->reason, core::Reason::None);
}

}  // namespace
}  // namespace koi::deploy
