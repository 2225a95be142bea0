// Lives of customers of several groups who share something and turn out to be one person: what each
// group has decided is what its journal alone says, all together never give more than there is, and
// where everything comes to rest they come to what one group comes to.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <set>
#include <string>
#include <vector>

#include "deploy/detail/town.h"
#include "durable/by_hand.h"

namespace koi::deploy {
namespace {

// One batch of what some of thirty customers do, and of what became of payments. Where they meet,
// some of them are known by an openid alone, and others come with it.
void live_a_while(Town& town, int& number, bool they_meet = false) {
  town.pass(seconds(
      static_cast<std::int64_t>(town.below(3) == 0 ? town.below(20'000) : town.below(600))));
  const auto somebody = [&] {
    const bool is_named = !they_meet || town.below(2) == 0;
    return (is_named ? "c" : "openid:") + std::to_string(town.below(they_meet ? 15 : 30));
  };
  for (std::size_t left = town.below(5); left > 0; --left) {
    Told told{"register", "e" + std::to_string(++number), somebody(), town.now(), {}};
    switch (town.below(7)) {
      case 0:
        told.fields = {{"device", Value::text("d" + std::to_string(town.below(12)))},
                       {"openid", Value::text("o" + told.customer)},
                       {"invited_by", Value::text(core::invite_code(
                                          town.plan(), plan::ReferralId::of(0), somebody()))}};
        break;
      case 1:
      case 2:
        told.type = "order";
        told.fields = {{"amount", Value::money(static_cast<std::int64_t>(town.below(12'000)))}};
        break;
      case 3: told.type = "refund"; break;
      case 4: told.type = "grab"; break;
      case 5: told.type = "play"; break;
      default: {
        std::vector<std::string> codes;
        for (const auto& [key, one] : town.handed.all)
          if (!one.code.empty()) codes.push_back(one.code);
        if (codes.empty()) break;
        const std::string& code = codes[town.below(codes.size())];
        told.type = code.starts_with("RAIN") ? "redeemed" : "claimed";
        told.fields = {{"code", Value::text(code)}};
      }
    }
    std::vector<std::string> openids;
    if (told.customer.starts_with("openid:")) openids.push_back(told.customer.substr(7));
    if (they_meet && town.below(5) == 0) openids.push_back(std::to_string(town.below(15)));
    town.submit(std::move(told), openids);
  }
  std::vector<durable::Given> receipts;
  for (auto each = town.handed.open.begin(); each != town.handed.open.end();) {
    if (town.below(3) == 0) {
      ++each;
      continue;
    }
    const Failure failure = town.below(5) == 0 ? Failure::Failed : Failure::None;
    receipts.emplace_back(durable::ReceiptFor{each->second, {each->first, town.now(), failure}});
    each = town.handed.open.erase(each);
  }
  town.submit(std::move(receipts));
}

TEST(Groups, RandomLivesOfFriendsInSeveralGroupsPassNoBudgetAndAreWhatEachJournalSays) {
  const char* many = std::getenv("KOI_CRASHES");
  const std::uint32_t seeds = many ? static_cast<std::uint32_t>(std::atoi(many)) / 5 : 8;
  std::uint64_t letters = 0;
  for (std::uint32_t seed = 1; seed <= seeds; ++seed) {
    SCOPED_TRACE(seed);
    Town town(fair(), static_cast<std::uint16_t>(2 + seed % 3), seed,
              seed % 2 == 0 ? 160u << 10 : 8u << 20);
    town.lose_one_in(seed % 3 == 0 ? 4 : 0);
    int number = 0;
    for (int turn = 0; turn < 60; ++turn) {
      live_a_while(town, number);
      for (std::size_t left = town.below(25); left > 0; --left) town.go_on(true);
    }
    town.come_to_rest();
    town.expect_at_rest();
    town.expect_as_replayed();
    town.expect_no_budget_is_passed();
    // It was a life: friends of other groups were brought, and money was refused for want of it.
    EXPECT_GT(town.handed.count(core::Action::Give), 20u);
    for (store::Group from = 0; from < town.groups_.count; ++from)
      for (store::Group to = 0; to < town.groups_.count; ++to)
        letters += town.writers().writer(from).letters().last(to);
  }
  EXPECT_GT(letters, 50u * seeds);
}

TEST(Groups, RandomLivesOfFriendsWhoTurnOutToBeOnePersonPassNoBudgetAndAreWhatEachJournalSays) {
  const char* many = std::getenv("KOI_CRASHES");
  const std::uint32_t seeds = many ? static_cast<std::uint32_t>(std::atoi(many)) / 5 : 12;
  std::uint64_t merged = 0, gives = 0;
  for (std::uint32_t seed = 1; seed <= seeds; ++seed) {
    SCOPED_TRACE(seed);
    Town town(fair(), static_cast<std::uint16_t>(2 + seed % 3), seed,
              seed % 2 == 0 ? 160u << 10 : 8u << 20);
    town.lose_one_in(seed % 3 == 0 ? 4 : 0);
    int number = 0;
    for (int turn = 0; turn < 60; ++turn) {
      live_a_while(town, number, true);
      for (std::size_t left = town.below(25); left > 0; --left) town.go_on(true);
    }
    town.come_to_rest();
    town.expect_at_rest();
    town.expect_as_replayed();
    town.expect_no_budget_is_passed();
    town.expect_all_have_come();
    town.expect_friends_know_each_other();
    gives += town.handed.count(core::Action::Give);
    // A code is known where whoever has it is, and nowhere else.
    for (const auto& [key, one] : town.handed.all)
      if (!one.code.empty() && one.action == core::Action::Give)
        town.writers().find_places({one.code}, [&](Result<std::vector<CodePlace>> found) {
          ASSERT_TRUE(found);
          EXPECT_LE(found->size(), 1u) << one.code;
          for (const CodePlace& each : *found)
            EXPECT_EQ(each.customer, town.whoever(one.customer)) << one.code;
        });
    merged += town.handed.count(core::Action::Merge);
  }
  EXPECT_GT(merged, 3u * seeds);
  EXPECT_GT(gives, 20u * seeds);
}

// What has been decided for each person, whoever he was then and in whatever order.
std::multiset<std::string> decided_for_each(const Town& town) {
  std::multiset<std::string> all;
  for (const auto& [key, one] : town.handed.all)
    all.insert(town.whoever(one.customer) + ": " + std::string(name_of(one.action)) + " " +
               std::string(name_of(one.of)) + " " + std::string(name_of(one.reason)) + " " +
               std::to_string(one.money));
  return all;
}

// What one of them has and the other has not.
std::vector<std::string> differences(const Town& one, const Town& other) {
  const auto mine = decided_for_each(one), others = decided_for_each(other);
  std::vector<std::string> found;
  std::set_symmetric_difference(mine.begin(), mine.end(), others.begin(), others.end(),
                                std::back_inserter(found));
  return found;
}

TEST(Groups, LivesOfFriendsWhoTurnOutToBeOnePersonAreThoseOfOneGroupWhereEverythingComesToRest) {
  const char* more = std::getenv("KOI_CRASHES");
  const std::uint32_t seeds = more ? static_cast<std::uint32_t>(std::atoi(more)) / 5 : 12;
  std::uint64_t merged = 0;
  for (std::uint32_t seed = 1; seed <= seeds; ++seed) {
    SCOPED_TRACE(seed);
    Town one(fair(), 1, seed), many(fair(), static_cast<std::uint16_t>(2 + seed % 3), seed + 100);
    const auto both = [&](auto what) { what(one), what(many); };
    const auto rest = [&](Town& town) {
      town.come_to_rest();
      ASSERT_TRUE(durable::store_all(town.writers()));
    };
    // Up to then one timer after the other, so that nobody's comes before another's by chance.
    const auto wait = [&](Duration time) {
      const Timestamp until = one.now() + time;
      for (Timestamp next = one.now(); next < until;) {
        next = until;
        both([&](Town& town) {
          for (store::Group group = 0; group < town.groups_.count; ++group)
            next = std::min(next, *town.writers().writer(group).next_due() + microseconds(1));
        });
        next = std::max(next, one.now() + microseconds(1));
        both([&](Town& town) { town.pass(next - town.now()), rest(town); });
      }
    };
    // Codes are numbered otherwise where groups have numbers of their own.
    const auto codes_of = [](const Town& town) {
      std::map<std::tuple<std::string, core::Action, Timestamp>, std::string> codes;
      for (const auto& [key, each] : town.handed.all)
        if (!each.code.empty() && each.action == core::Action::Give)
          codes.emplace(std::tuple(town.whoever(each.customer), each.action, each.time), each.code);
      return codes;
    };
    const auto somebody = [&] {
      return (one.below(2) == 0 ? "c" : "openid:") + std::to_string(one.below(10));
    };
    for (int number = 0; number < 90; ++number) {
      wait(seconds(
          static_cast<std::int64_t>(one.below(4) == 0 ? one.below(20'000) : one.below(600))));
      Told told{"register", "e" + std::to_string(number), somebody(), one.now(), {}};
      Told same = told;
      switch (one.below(7)) {
        case 0:
        case 1:
          told.fields = {{"device", Value::text("d" + std::to_string(one.below(8)))},
                         {"invited_by", Value::text(core::invite_code(
                                            one.plan(), plan::ReferralId::of(0), somebody()))}};
          break;
        case 2:
          told.type = "order";
          told.fields = {{"amount", Value::money(static_cast<std::int64_t>(one.below(12'000)))}};
          break;
        case 3: told.type = one.below(3) == 0 ? "refund" : "play"; break;
        case 4: told.type = "grab"; break;
        default: {
          const auto codes = codes_of(one), others = codes_of(many);
          if (codes.empty()) break;
          const auto place =
              std::next(codes.begin(), static_cast<std::ptrdiff_t>(one.below(codes.size())));
          const auto other = others.find(place->first);
          ASSERT_NE(other, others.end());
          told.type = place->second.starts_with("RAIN") ? "redeemed" : "claimed";
          told.fields = {{"code", Value::text(place->second)}};
          same.fields = {{"code", Value::text(other->second)}};
        }
      }
      if (same.fields.empty()) same.fields = told.fields;
      same.type = told.type;
      std::vector<std::string> openids;
      if (told.customer.starts_with("openid:")) openids.push_back(told.customer.substr(7));
      if (one.below(4) == 0) openids.push_back(std::to_string(one.below(10)));
      one.submit(std::move(told), openids);
      many.submit(same, openids);
      many.lose_one_in(seed % 2 == 0 ? 4 : 0);
      for (std::size_t left = many.below(15); left > 0; --left) many.go_on(true);
      rest(many);
      many.submit(std::move(same), openids);  // it may have been killed before it was durable
      both(rest);
      // Payments are made or fail, some of them much later.
      both([&](Town& town) {
        std::vector<durable::Given> receipts;
        for (auto each = town.handed.open.begin(); each != town.handed.open.end();) {
          const auto& [key, customer] = *each;
          if (key.low % 3 == 0 && number % 7 != 0) {
            ++each;
            continue;
          }
          const Failure failure = key.low % 5 == 0 ? Failure::Failed : Failure::None;
          receipts.emplace_back(durable::ReceiptFor{customer, {key, town.now(), failure}});
          each = town.handed.open.erase(each);
        }
        town.submit(std::move(receipts));
        rest(town);
      });
      ASSERT_EQ(differences(many, one), std::vector<std::string>()) << "after input " << number;
      ASSERT_EQ(many.outs(), one.outs()) << "after input " << number;
    }
    many.expect_at_rest();
    many.expect_as_replayed();
    many.expect_all_have_come();
    merged += one.handed.count(core::Action::Merge);
  }
  EXPECT_GT(merged, 3u * seeds);
}

TEST(Groups, EachNameThatSomebodyHadLeadsHisFriendsToWhoHeIsByNow) {
  for (std::uint16_t groups = 1; groups <= 5; ++groups) {
    SCOPED_TRACE(std::to_string(groups) + " groups");
    Town town(fair(), groups, groups);
    int number = 0;
    const auto comes = [&](const std::string& customer, const std::string& type,
                           std::map<std::string, Value> fields,
                           const std::vector<std::string>& openids) {
      town.pass(seconds(1));
      const std::string id = "e" + std::to_string(++number);
      town.submit({type, id, customer, town.now(), std::move(fields)}, openids);
      town.come_to_rest();
    };
    const auto code_of = [&](const std::string& customer) {
      return core::invite_code(town.plan(), plan::ReferralId::of(0), customer);
    };
    const auto brought_by = [&](const std::string& customer) {
      comes("friend", "register", {{"invited_by", Value::text(code_of(customer))}}, {});
    };
    for (const char* each : {"1", "2", "3", "4"})
      comes("openid:" + std::string(each), "refund", {}, {each});
    brought_by("openid:4");
    comes("friend", "order", {{"amount", Value::money(10'00)}}, {});
    // The later one goes each time, with all the names that he has had.
    comes("openid:3", "refund", {}, {"3", "4"});
    comes("openid:2", "refund", {}, {"2", "3"});
    comes("openid:1", "refund", {}, {"1", "2"});
    EXPECT_EQ(town.handed.count(core::Action::Merge), 3u);
    for (const char* each : {"openid:1", "openid:2", "openid:3", "openid:4"}) {
      town.writers().find_places({code_of(each)}, [&](Result<std::vector<CodePlace>> found) {
        ASSERT_TRUE(found);
        ASSERT_EQ(found->size(), 1u) << each;
        EXPECT_EQ(found->front().customer, "openid:1") << each;
      });
      brought_by(each);  // by whom he was brought before
    }
    EXPECT_EQ(town.handed.count(core::Action::Refuse, core::Reason::BoundBefore), 0u);
    brought_by("friend");
    EXPECT_EQ(town.handed.count(core::Action::Refuse, core::Reason::BoundBefore), 1u);
    town.expect_as_replayed();
    town.expect_friends_know_each_other();
  }
}

TEST(Groups, OtherRulesAreRefusedWhileLettersAreOnTheirWayAndServeWhenTheyHaveArrived) {
  Town town(fair(), 3, 5);
  int number = 0;
  town.lose_one_in(1);
  for (int turn = 0; turn < 500 && town.writers().figures().letters == 0; ++turn) {
    live_a_while(town, number);
    for (std::size_t left = 10; left > 0; --left) town.go_on(false);
  }
  durable::run_dry(town.writers());
  ASSERT_TRUE(durable::store_all(town.writers()));
  town.close();
  town.rules_now = fair_rules + 1;
  auto refused = town.open();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, "rules");
  town.rules_now = fair_rules;
  town.kill();
  town.come_to_rest();
  ASSERT_TRUE(town.writers().finish());
  town.close();
  town.rules_now = fair_rules + 1;
  EXPECT_TRUE(town.open());
}

}  // namespace
}  // namespace koi::deploy
