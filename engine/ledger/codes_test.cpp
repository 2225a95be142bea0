#include "ledger/codes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <set>
#include <string_view>
#include <vector>

namespace koi::ledger {
namespace {

constexpr Key key{11, 12};

TEST(Codes, AllOfASmallPatternAreDifferentAndReadBack) {
  const auto pattern = CodePattern::read("A##-##");
  ASSERT_TRUE(pattern);
  ASSERT_EQ(pattern->capacity(), 31u * 31 * 31);
  std::set<std::string> seen;
  for (std::uint64_t n = 0; n < pattern->capacity(); ++n) {
    const std::string code = pattern->code(key, n);
    ASSERT_TRUE(seen.insert(code).second) << code;
    ASSERT_EQ(pattern->number(key, code), n);
  }
}

TEST(Codes, OfALargePatternDifferByConstruction) {
  const auto pattern = CodePattern::read("NEW-########");
  ASSERT_TRUE(pattern);
  EXPECT_GT(pattern->capacity(), 100'000'000u);
  for (std::uint64_t n = 0; n < 100'000'000; n += 999'983)
    ASSERT_EQ(pattern->number(key, pattern->code(key, n)), n);  // one to one, so never two the same
}

TEST(Codes, OneWrongCharacterOrTwoExchangedAreNoticed) {
  const auto pattern = CodePattern::read("NEW-########");
  const std::string code = pattern->code(key, 4711);
  constexpr std::string_view letters = "23456789ABCDEFGHJKMNPQRSTUVWXYZ";
  for (std::size_t i = 4; i < code.size(); ++i) {
    for (const char other : letters) {
      std::string wrong = code;
      wrong[i] = other;
      EXPECT_EQ(pattern->number(key, wrong).has_value(), wrong == code) << wrong;
    }
    if (i + 1 == code.size()) continue;
    std::string exchanged = code;
    std::swap(exchanged[i], exchanged[i + 1]);
    EXPECT_EQ(pattern->number(key, exchanged).has_value(), exchanged == code) << exchanged;
  }
}

TEST(Codes, AreReadAsPeopleTypeThem) {
  const auto pattern = CodePattern::read("NEW-########");
  const std::string code = pattern->code(key, 1);
  std::string typed;
  for (const char c : code)
    if (c != '-') typed.push_back(c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c);
  EXPECT_EQ(pattern->number(key, typed), 1u);
  EXPECT_EQ(pattern->number(key, " " + code + " "), 1u);
  EXPECT_FALSE(pattern->number(key, code + "2"));
  EXPECT_FALSE(pattern->number(key, code.substr(0, 8)));
  EXPECT_FALSE(pattern->number(key, "OLD" + code.substr(3)));
  EXPECT_FALSE(pattern->number(key, ""));
}

TEST(Codes, OfAPatternAreToldFromOthersWithoutTheKey) {
  const auto pattern = CodePattern::read("A##-##");
  std::size_t like = 0;
  std::string code = "A22-22";
  constexpr std::string_view letters = "23456789ABCDEFGHJKMNPQRSTUVWXYZ";
  for (const char a : letters)
    for (const char b : letters)
      for (const char c : letters)
        for (const char d : letters) {
          code[1] = a, code[2] = b, code[4] = c, code[5] = d;
          like += pattern->could_make(code) ? 1 : 0;
        }
  EXPECT_EQ(like, pattern->capacity());
  for (std::uint64_t n = 0; n < pattern->capacity(); n += 7)
    ASSERT_TRUE(pattern->could_make(pattern->code(key, n)));
  const std::string made = pattern->code(key, 1);
  for (const std::string& other : {made + "2", made.substr(1), "B" + made.substr(1),
                                   "a" + made.substr(1), "A0" + made.substr(2), std::string()})
    EXPECT_FALSE(pattern->could_make(other)) << other;
}

TEST(Codes, OfTwoPatternsAreToldApartAsTryingAllOfThemDoes) {
  constexpr std::array patterns{
      // One place more, or another place.
      "2####", "3####", "####2", "#2###", "0####", "-####", "2-####", "2#-###",
      // Few places in common, or none: the check characters decide.
      "####222", "222####", "322####", "####322", "####2222", "2222####", "####3222", "3222####",
      "#2#2#2#2", "2#2#2#2#", "3#2#2#2#", "##22##22", "22##33##", "####HZZZ", "A#A#A#A#"};
  std::size_t apart_by_check = 0;
  for (const std::string_view one : patterns) {
    const auto first = CodePattern::read(one);
    ASSERT_TRUE(first) << one;
    std::vector<std::string> codes;
    for (std::uint64_t n = 0; n < first->capacity(); ++n) codes.push_back(first->code(key, n));
    for (const std::string_view other : patterns) {
      const auto second = CodePattern::read(other);
      const bool can = std::any_of(codes.begin(), codes.end(), [&](const std::string& code) {
        return second->could_make(code);
      });
      EXPECT_EQ(first->could_make_same_as(*second), can) << one << " and " << other;
      if (can || one.size() != other.size()) continue;
      bool do_letters_fit = true;
      for (std::size_t i = 0; i < one.size(); ++i) {
        const bool is_open = one[i] == '#' || other[i] == '#';
        do_letters_fit = do_letters_fit && (one[i] == other[i] || is_open) && one[i] != '0' &&
                         one[i] != '-' && other[i] != '0' && other[i] != '-';
      }
      apart_by_check += do_letters_fit ? 1 : 0;
    }
  }
  EXPECT_GT(apart_by_check, 0u);
}

TEST(Codes, OfLongPatternsAreToldApartByTheirLetters) {
  const auto meet = [](std::string_view one, std::string_view other) {
    const auto first = CodePattern::read(one), second = CodePattern::read(other);
    EXPECT_EQ(first->could_make_same_as(*second), second->could_make_same_as(*first));
    return first->could_make_same_as(*second);
  };
  EXPECT_TRUE(meet("NEW-########", "NEW-########"));
  EXPECT_TRUE(meet("NEW-########", "NEW-A#######"));
  EXPECT_TRUE(meet("############", "NEWS########"));
  EXPECT_TRUE(meet(pattern_of_links, "TEN##########"));
  EXPECT_FALSE(meet("NEW-########", "OLD-########"));
  EXPECT_FALSE(meet("NEW-########", "NEW-#########"));
  EXPECT_FALSE(meet("NEW-########", "NEW_########"));
  EXPECT_FALSE(meet("NEW-########", "new-########"));
  EXPECT_FALSE(meet("NEW-########", "############"));  // none of its letters is a hyphen
}

TEST(Codes, SayNothingAboutTheirNumbers) {
  const auto pattern = CodePattern::read("########");
  // Neighbours have no more characters in common than any two codes: one in 31 of the seven.
  int common = 0;
  for (std::uint64_t n = 0; n < 2000; ++n) {
    const std::string a = pattern->code(key, n), b = pattern->code(key, n + 1);
    for (std::size_t i = 0; i < 7; ++i) common += a[i] == b[i] ? 1 : 0;
  }
  EXPECT_NEAR(common, 2000 * 7 / 31, 85);
  EXPECT_NE(pattern->code(key, 0), pattern->code({11, 13}, 0));
}

TEST(Codes, APatternNeedsAFewPlacesAndNotTooMany) {
  EXPECT_FALSE(CodePattern::read("NEW-###"));
  EXPECT_FALSE(CodePattern::read("##############"));
  EXPECT_TRUE(CodePattern::read("#############"));
}

}  // namespace
}  // namespace koi::ledger
