#include "channel/settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace koi::channel {
namespace {

using Kind = Setting::Kind;
using testing::HasSubstr;

constexpr std::array<std::string_view, 2> streams{"stdout", "stderr"};
const std::array of_all_kinds{
    Setting{.name = "url", .kind = Kind::Url, .help = "Where to post."},
    Setting{.name = "secret", .kind = Kind::Secret, .help = "Signs."},
    Setting{.name = "wait",
            .kind = Kind::Duration,
            .help = "How long to wait.",
            .otherwise = "20s",
            .least = 1000,
            .most = 3'600'000'000},
    Setting{
        .name = "count", .kind = Kind::Number, .help = "How many.", .otherwise = "3", .most = 10},
    Setting{.name = "loud", .kind = Kind::Flag, .help = "Whether loudly.", .otherwise = "false"},
    Setting{.name = "to", .help = "Where to.", .otherwise = "stdout", .choices = streams},
    Setting{.name = "path", .kind = Kind::Path, .help = "Which file.", .optional = true},
};

Given good() {
  setenv("KOI_TEST_SECRET", "hush", 1);
  return {{"url", "https://example.com/hook"}, {"secret", "env:KOI_TEST_SECRET"}};
}
std::string error_of(const Given& given) {
  const auto settings = Settings::read(of_all_kinds, given);
  return settings ? "no error" : settings.error().what;
}
std::string error_with(const std::string& name, GivenValue value) {
  Given given = good();
  given[name] = std::move(value);
  return error_of(given);
}

TEST(Settings, WhatIsGivenIsReadAndTheRestHasItsValues) {
  Given given = good();
  given["count"] = std::int64_t{7};
  given["wait"] = "250ms";
  const auto settings = Settings::read(of_all_kinds, given);
  ASSERT_TRUE(settings) << settings.error().what;
  EXPECT_EQ(settings->text("url"), "https://example.com/hook");
  EXPECT_EQ(settings->secret("secret").reveal(), "hush");
  EXPECT_EQ(settings->duration("wait"), microseconds(250'000));
  EXPECT_EQ(settings->number("count"), 7);
  EXPECT_FALSE(settings->flag("loud"));
  EXPECT_EQ(settings->text("to"), "stdout");
  EXPECT_FALSE(settings->has("path"));
}

TEST(Settings, ErrorsNameTheSettingAndTheRemedyAllAtOnce) {
  const std::string errors = error_of({{"urll", "x"}, {"secret", "env:KOI_NO_SUCH"}});
  EXPECT_THAT(errors, HasSubstr("`urll` is no setting of it; its settings are: url, secret, wait"));
  EXPECT_THAT(errors, HasSubstr("`url` is missing: Where to post."));
  EXPECT_THAT(errors, HasSubstr("`secret`: the environment has no variable `KOI_NO_SUCH`; set it"));
  EXPECT_THAT(error_with("wait", "20"),
              HasSubstr("`wait` is `20`; it takes a duration from 1ms to 1h"));
  EXPECT_THAT(error_with("wait", "2h"), HasSubstr("1ms to 1h"));
  EXPECT_THAT(error_with("wait", "99999999999999999d"), HasSubstr("`wait` is"));
  EXPECT_THAT(error_with("count", std::int64_t{11}),
              HasSubstr("`count` is `11`; it takes a whole number from 0 to 10"));
  EXPECT_THAT(error_with("loud", "yes"), HasSubstr("true or false"));
  EXPECT_THAT(error_with("to", "stdin"), HasSubstr("one of stdout, stderr"));
  EXPECT_THAT(error_with("url", "ftp://x"), HasSubstr("http:// or https://"));
}

TEST(Settings, APasswordInAnAddressIsRefusedAndNotShown) {
  const std::string error = error_with("url", "https://me:letmein@example.com/");
  EXPECT_THAT(error, HasSubstr("`url` holds a name or password"));
  EXPECT_THAT(error, testing::Not(HasSubstr("letmein")));
}

TEST(Settings, ASecretIsGivenByReferenceOnlyAndNeverShown) {
  const std::string error = error_with("secret", "whsec_abc");
  EXPECT_THAT(error, HasSubstr("write `file:PATH` or `env:NAME`"));
  EXPECT_THAT(error, testing::Not(HasSubstr("whsec")));
}

TEST(Settings, ASecretInAFileLosesTheLineFeedAtItsEnd) {
  const auto path = std::filesystem::temp_directory_path() / "koi_settings_test_secret";
  std::ofstream(path) << "hush hush\n";
  Given given = good();
  given["secret"] = "file:" + path.string();
  const auto settings = Settings::read(of_all_kinds, given);
  std::filesystem::remove(path);
  ASSERT_TRUE(settings);
  EXPECT_EQ(settings->secret("secret").reveal(), "hush hush");
  EXPECT_THAT(error_with("secret", "file:" + path.string()), HasSubstr("cannot be read"));
}

TEST(Settings, TheTableHoldsEachSettingWithItsMeaning) {
  const std::string table = settings_table(of_all_kinds);
  EXPECT_THAT(table, HasSubstr("| `url` | URL | must be given | Where to post. |\n"));
  EXPECT_THAT(table,
              HasSubstr("| `wait` | duration, from 1ms to 1h | `20s` | How long to wait. |\n"));
  EXPECT_THAT(table, HasSubstr("| `to` | text: `stdout`, `stderr` | `stdout` | Where to. |\n"));
  EXPECT_THAT(table, HasSubstr("| `path` | path | none | Which file. |\n"));
  EXPECT_EQ(settings_table({}), "It has no settings.\n");
}

}  // namespace
}  // namespace koi::channel
