#include "deploy/bundles.h"

#include <gtest/gtest.h>

#include <fstream>

#include "deploy/detail/trial.h"
#include "deploy/files.h"

namespace koi::deploy {
namespace {

class BundlesTest : public ::testing::Test {
 protected:
  void overwrite(Hash128 name, const std::string& bytes) {
    std::ofstream(bundles_.file_of(name), std::ios::binary) << bytes;
  }

  Scratch folder_;
  store::Directory directory_ = *store::Directory::open(folder_.path() / "data");
  Bundles bundles_{directory_};
  Bundle bundle_{42, {{"a.koi", "event e {}\n"}, {"folder/b.koi", "event f {}\n"}}};
};

TEST_F(BundlesTest, AreReadBackAsTheyWereKept) {
  const Hash128 name = *bundles_.keep(bundle_);
  EXPECT_EQ(*bundles_.read(name), bundle_);
  EXPECT_EQ(*bundles_.keep(bundle_), name);
}

TEST_F(BundlesTest, AreNamedByAllThatIsInThemAndAlwaysTheSame) {
  Bundle seed = bundle_, called = bundle_, text = bundle_;
  seed.seed = 43;
  called.files[0].name = "c.koi";
  text.files[0].text += "\n";
  const std::set<Hash128> names{name_of(bundle_), name_of(seed), name_of(called), name_of(text)};
  EXPECT_EQ(names.size(), 4u);
  // It stands in journals: it must never change.
  EXPECT_EQ(to_hex(name_of(bundle_)), "60041aa3850b634bb89bd87333fdc188");
  EXPECT_EQ(to_hex({rules_of(name_of(bundle_)), 0}).substr(0, 16),
            to_hex(name_of(bundle_)).substr(0, 16));
}

TEST_F(BundlesTest, AMissingOneIsNamed) {
  const auto read = bundles_.read(name_of(bundle_));
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, "missing");
  EXPECT_NE(read.error().what.find(to_hex(name_of(bundle_))), std::string::npos);
}

TEST_F(BundlesTest, AChangedByteIsNoticedWhereverItIs) {
  const Hash128 name = *bundles_.keep(bundle_);
  const std::string whole = encode(bundle_);
  for (std::size_t at = 0; at < whole.size(); ++at) {
    std::string bytes = whole;
    bytes[at] = static_cast<char>(bytes[at] ^ 0x10);
    overwrite(name, bytes);
    EXPECT_EQ(bundles_.read(name).error().code, "corrupt") << at;
  }
  for (const std::size_t length : {std::size_t{0}, std::size_t{5}, whole.size() - 1}) {
    overwrite(name, whole.substr(0, length));
    EXPECT_EQ(bundles_.read(name).error().code, "corrupt");
  }
  overwrite(name, whole + "x");
  EXPECT_EQ(bundles_.read(name).error().code, "corrupt");
  EXPECT_EQ(bundles_.keep(bundle_).error().code, "corrupt") << "what is damaged is not passed over";
}

// Whoever can write there can name a file by the hash of what he put into it.
TEST_F(BundlesTest, HostileBytesUnderTheirOwnNameAreNoBundle) {
  ASSERT_TRUE(bundles_.keep(bundle_));
  const std::string huge = "koi bundle 1\n" + std::string(8, 'x') + std::string(9, '\xff') + "\x01";
  for (const std::string& bytes : {std::string(), std::string("koi bundle 1"),
                                   std::string("koi bundle 1\n"), std::string("koi bundle 1\nabc"),
                                   std::string("something else"), huge, encode(bundle_) + "tail"}) {
    overwrite(hash128(bytes), bytes);
    EXPECT_EQ(bundles_.read(hash128(bytes)).error().code, "corrupt") << bytes;
  }
  const std::string later = "koi bundle 2\nwhatever";
  overwrite(hash128(later), later);
  EXPECT_EQ(bundles_.read(hash128(later)).error().code, "newer");
}

TEST_F(BundlesTest, OneThatIsNoProgramSaysWhereItIsWrong) {
  const auto plan = compile({1, {{"shop.koi", "event e {}\nsegment s when count f > 1\n"}}});
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().code, "rules");
  EXPECT_NE(plan.error().what.find("shop.koi:2"), std::string::npos) << plan.error().what;
}

TEST_F(BundlesTest, WhatATierHasFoundIsOfNoUseForAnotherWayToRank) {
  const auto taken = [](const std::string& tier) {
    const auto plan =
        compile({1,
                 {{"a.koi", "event e {}\nmetric n = count e\nmetric m = count e over 3 days\n" +
                                tier + "\n"}}});
    return plan->schema[plan->tiers.at(0).taken].symbol.name;
  };
  const std::string now = taken("tier loyalty by n into quintiles");
  EXPECT_EQ(now, taken("tier loyalty by n { best: top 5%  others: the rest }"));
  EXPECT_NE(now, taken("tier loyalty by m into quintiles"));
  EXPECT_NE(now, taken("tier loyalty by n among n > 2 into quintiles"));
  EXPECT_NE(now, taken("tier loyalty by n into quintiles refreshed every day at 05:00"));
}

TEST_F(BundlesTest, WhoIsInAnAudienceIsPartOfTheRules) {
  const std::string rules =
      "customer { identify by openid }\naudience press from \"p.csv\" by openid\n"
      "event e {}\nsegment known when press\n";
  const auto of = [&](std::string list) {
    return Bundle{1, {{"sub/a.koi", rules}, {"sub/p.csv", std::move(list)}}};
  };
  const auto plan = compile(of("openid\no2\no1\no2\n"));
  ASSERT_TRUE(plan) << plan.error().what;
  EXPECT_EQ(plan->audiences.at(0).members, (std::vector<std::string>{"o1", "o2"}));
  // In any order it is the same list; with somebody else in it, another condition.
  const auto watched = [&](std::string list) {
    return compile(of(std::move(list)))->watches.at(0).definition;
  };
  EXPECT_EQ(watched("o2\no1\n"), watched("openid\no1\no2\n"));
  EXPECT_NE(watched("o1\n"), watched("o1\no2\n"));
  EXPECT_NE(name_of(of("o1\n")), name_of(of("o2\n")));

  const auto lost = compile({1, {{"sub/a.koi", rules}, {"p.csv", "o1\n"}}});
  ASSERT_FALSE(lost);
  EXPECT_NE(lost.error().what.find("`p.csv` of the audience `press`"), std::string::npos)
      << lost.error().what;
}

TEST_F(BundlesTest, NoFileOutsideIsNamedBesideOne) {
  EXPECT_EQ(name_beside("sub/a.koi", "./p.csv"), "sub/p.csv");
  EXPECT_EQ(name_beside("a.koi", "lists/p.csv"), "lists/p.csv");
  for (const char* name : {"../p.csv", "/etc/passwd", "x/../../p.csv", ""})
    EXPECT_EQ(name_beside("a.koi", name), std::nullopt) << name;
}

TEST_F(BundlesTest, AFolderThatCannotBeWrittenIsNamed) {
  std::ofstream(folder_.path() / "data" / "bundles") << "a file stands where the folder should be";
  const auto kept = bundles_.keep(bundle_);
  ASSERT_FALSE(kept);
  EXPECT_NE(kept.error().what.find("bundles"), std::string::npos);
}

TEST(Files, AreWrittenWholeOrNotAtAll) {
  const Scratch folder;
  const auto file = folder.path() / "file";
  EXPECT_EQ(*read_whole(file, 10), std::nullopt);
  ASSERT_TRUE(write_whole(file, "one"));
  ASSERT_TRUE(write_whole(file, "two"));
  EXPECT_EQ(*read_whole(file, 10), "two");
  EXPECT_EQ(read_whole(file, 2).error().code, "corrupt");
  EXPECT_EQ(write_whole(folder.path() / "none" / "file", "x").error().code, "unwritable");
  EXPECT_EQ(read_whole(folder.path(), 10).error().code, "unreadable");
}

}  // namespace
}  // namespace koi::deploy
