#include "runtime/directory.h"

#include <gtest/gtest.h>

#include "runtime/test_plan.h"

namespace koi::runtime {
namespace {

const IdentifierId phone = IdentifierId::of(0), openid = IdentifierId::of(1);

class DirectoryTest : public ::testing::Test {
 protected:
  plan::Plan plan_ = small_plan();
  MemoryLinks links_;
  Directory directory_{plan_.schema, links_};

  // The customer of an event with that subject and those identifiers; `kept` are those left in it.
  std::string resolve(IdentifierId kind, std::string subject,
                      std::vector<Identifier> identifiers = {}) {
    Incoming incoming;
    incoming.subject_kind = kind;
    incoming.event.customer = std::move(subject);
    incoming.event.identifiers = std::move(identifiers);
    directory_.resolve(incoming);
    kept_ = incoming.event.identifiers;
    met_ = incoming.event.met;
    event_ = incoming.event;
    return incoming.event.customer;
  }
  std::vector<Identifier> kept_;
  std::vector<Met> met_;
  Event event_;
};

TEST_F(DirectoryTest, ACustomerIdStandsForItself) {
  EXPECT_EQ(resolve(IdentifierId::none(), "c1"), "c1");
  EXPECT_EQ(links_.size(), 0u);
}

TEST_F(DirectoryTest, AnUnknownIdentifierMakesACustomerWhoIsFoundAgain) {
  EXPECT_EQ(resolve(openid, "o1"), "wechat_openid:o1");
  EXPECT_EQ(kept_, (std::vector<Identifier>{{openid, "o1"}}));
  EXPECT_EQ(resolve(openid, "o1"), "wechat_openid:o1");
  EXPECT_EQ(resolve(phone, "o1"), "phone:o1");  // another kind is another identifier
  EXPECT_EQ(directory_.conflicts(), 0u);
}

TEST_F(DirectoryTest, LinksNewIdentifiersOfAnEvent) {
  EXPECT_EQ(resolve(IdentifierId::none(), "c1", {{phone, "13800138000"}, {openid, "o1"}}), "c1");
  EXPECT_EQ(resolve(phone, "13800138000"), "c1");
  EXPECT_EQ(resolve(openid, "o1"), "c1");
  EXPECT_EQ(links_.size(), 2u);
}

TEST_F(DirectoryTest, AnUnknownSubjectIsWhoseOtherIdentifierIsKnown) {
  resolve(IdentifierId::none(), "c1", {{phone, "13800138000"}});
  EXPECT_EQ(resolve(openid, "o1", {{phone, "13800138000"}}), "c1");
  EXPECT_EQ(resolve(openid, "o1"), "c1");
  EXPECT_EQ(directory_.conflicts(), 0u);
}

TEST_F(DirectoryTest, CountsAConflictAndLeavesBothCustomersAsTheyAre) {
  resolve(IdentifierId::none(), "c1", {{phone, "13800138000"}});
  EXPECT_EQ(resolve(IdentifierId::none(), "c2", {{phone, "13800138000"}, {openid, "o2"}}), "c2");
  EXPECT_EQ(kept_, (std::vector<Identifier>{{openid, "o2"}}));
  EXPECT_EQ(directory_.conflicts(), 1u);
  EXPECT_EQ(resolve(phone, "13800138000"), "c1");
  EXPECT_EQ(resolve(openid, "o2"), "c2");
}

TEST_F(DirectoryTest, SaysWhomAnEventHasMetAndHowSureThatIs) {
  resolve(openid, "o1");
  EXPECT_EQ(resolve(IdentifierId::none(), "c1", {{openid, "o1"}}), "c1");
  EXPECT_EQ(met_, (std::vector<Met>{{{openid, "o1"}, "wechat_openid:o1", openid}}));
  resolve(phone, "13800138000");
  EXPECT_EQ(resolve(openid, "o1", {{phone, "13800138000"}}), "wechat_openid:o1");
  EXPECT_EQ(met_, (std::vector<Met>{{{phone, "13800138000"}, "phone:13800138000", openid}}));
  EXPECT_EQ(kept_, (std::vector<Identifier>{{openid, "o1"}}));
  resolve(phone, "13900139000");
  resolve(phone, "13800138000", {{phone, "13900139000"}});
  EXPECT_EQ(met_.size(), 1u);
  EXPECT_EQ(met_[0].link, openid);  // two phones: surer than that are phones
}

TEST_F(DirectoryTest, ASurerSubjectThatIsNewMeetsWhoeverHasTheLessSureIdentifier) {
  resolve(openid, "o1");
  EXPECT_EQ(resolve(phone, "13800138000", {{openid, "o1"}}), "phone:13800138000");
  EXPECT_EQ(met_, (std::vector<Met>{{{openid, "o1"}, "wechat_openid:o1", openid}}));
}

TEST_F(DirectoryTest, FindsTheOneWhoStays) {
  resolve(openid, "o1");
  resolve(IdentifierId::none(), "c1", {{openid, "o1"}});
  Event before = event_;
  directory_.merged("c1", "wechat_openid:o1");
  directory_.renew(before);
  EXPECT_EQ(before.customer, "wechat_openid:o1");
  EXPECT_TRUE(before.met.empty());
  EXPECT_EQ(before.identifiers, (std::vector<Identifier>{{openid, "o1"}}));
  EXPECT_EQ(resolve(IdentifierId::none(), "c1", {{openid, "o1"}}), "wechat_openid:o1");
  EXPECT_TRUE(met_.empty());
}

TEST_F(DirectoryTest, TwoWhoAreTwoPeopleMeetOnce) {
  resolve(openid, "o1");
  resolve(openid, "o2");
  resolve(phone, "13800138000", {{openid, "o1"}});
  ASSERT_EQ(met_.size(), 1u);
  directory_.apart(met_[0], "phone:13800138000");
  resolve(phone, "13800138000", {{openid, "o1"}});
  EXPECT_TRUE(met_.empty());
  EXPECT_EQ(directory_.conflicts(), 2u);
}

TEST_F(DirectoryTest, FindsEachOfMany) {
  for (int i = 0; i < 20'000; ++i)
    resolve(IdentifierId::none(), "c" + std::to_string(i), {{openid, "o" + std::to_string(i)}});
  for (int i = 0; i < 20'000; ++i)
    ASSERT_EQ(resolve(openid, "o" + std::to_string(i)), "c" + std::to_string(i));
  EXPECT_EQ(links_.size(), 20'000u);
}

}  // namespace
}  // namespace koi::runtime
