#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <random>
#include <set>
#include <sstream>

#include "base/scratch.h"
#include "base/victim.h"
#include "channel/connector.h"
#include "channel/provider.h"
#include "file/key_index.h"

namespace koi::connectors {
const channel::ConnectorType& file();
namespace {

using namespace channel;
using testing::HasSubstr;
namespace fs = std::filesystem;

std::string read(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

// A disk that is full or not.
class Disk final : public Provider {
 public:
  Disk() {
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before_);
  }
  ~Disk() override { setrlimit(RLIMIT_FSIZE, &before_); }
  std::vector<Act> acts() const override { return {Act::Accept, Act::Busy}; }
  Given settings() const override { return {{"path", (folder / "out.ndjson").string()}}; }
  void next(Act act) override {
    setrlimit(RLIMIT_FSIZE, &before_);
    if (act != Act::Busy) return;
    fill();
    // Room for a part of a line, which must be taken away again.
    rlimit limit = before_;
    limit.rlim_cur = read(folder / "out.ndjson").size() + 100;
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  std::vector<std::string> accepted() const override {
    std::vector<std::string> keys;
    std::istringstream lines(read(folder / "out.ndjson"));
    for (std::string line; std::getline(lines, line);)
      if (line.find("\"filling\"") == std::string::npos) keys.push_back(line.substr(8, 32));
    return keys;
  }
  std::size_t effects(const std::string& key) const override {
    const auto keys = accepted();
    return static_cast<std::size_t>(std::count(keys.begin(), keys.end(), key));
  }

 private:
  // The index is a file too; with this the lines are always longer, and reach the limit first.
  void fill() {
    std::ofstream out(folder / "out.ndjson", std::ios::app | std::ios::binary);
    for (int i = 0; i < 600; ++i) {
      const Hash128 key{99, ++filled_};
      out << R"({"key":")" << to_hex(key) << R"(","filling":")" << std::string(100, 'x') << "\"}\n";
    }
  }
  Scratch folder;
  rlimit before_{};
  std::uint64_t filled_ = 0;
};

class FileTest : public ::testing::Test {
 protected:
  Result<std::unique_ptr<Connector>> open(const fs::path& path) {
    auto settings = Settings::read(file().settings, {{"path", path.string()}});
    EXPECT_TRUE(settings);
    Tools tools{context.get_executor(), nullptr, [] { return Timestamp{1'772'447'400'500'000}; },
                [](Level, std::string_view) {}};
    return file().open(*settings, std::move(tools));
  }
  std::string deliver(Connector& connector, Hash128 key) {
    Delivery delivery;
    delivery.key = key;
    delivery.customer = "ann";
    delivery.addresses = {{"phone", "+86138"}, {"email", "a@b.c"}};
    delivery.channel = "sms";
    delivery.campaign = "welcome";
    delivery.content = "greeting";
    delivery.body = "a\nb";
    Outcome outcome;
    asio::co_spawn(context, connector.deliver(delivery),
                   [&](std::exception_ptr, Outcome got) { outcome = std::move(got); });
    context.restart();
    context.run();
    return to_string(outcome);
  }
  std::string error_of(const fs::path& path) {
    const auto opened = open(path);
    return opened ? "no error" : opened.error().what;
  }
  asio::io_context context;
  Scratch folder;
};

TEST_F(FileTest, ALineHoldsTheDelivery) {
  auto connector = open(folder / "out");
  ASSERT_TRUE(connector) << connector.error().what;
  EXPECT_EQ(deliver(**connector, {1, 2}), "done");
  EXPECT_EQ(read(folder / "out"),
            R"({"key":"00000000000000010000000000000002","at":"2026-03-02T10:30:00.5Z",)"
            R"("channel":"sms","campaign":"welcome","content":"greeting","customer":"ann",)"
            R"("to":{"phone":"+86138","email":"a@b.c"},"body":"a\nb"})"
            "\n");
}

TEST_F(FileTest, ALineThatACrashCutOffIsTakenAwayAndWrittenAgain) {
  { EXPECT_EQ(deliver(**open(folder / "out"), {1, 1}), "done"); }
  const std::string whole = read(folder / "out");
  for (const bool keep_index : {true, false})
    for (std::size_t cut = 1; cut < whole.size(); cut += 7) {
      std::ofstream(folder / "out", std::ios::binary) << whole << whole.substr(0, cut);
      if (!keep_index) fs::remove(folder / "out.keys");
      auto connector = open(folder / "out");
      ASSERT_TRUE(connector) << connector.error().what;
      EXPECT_EQ(read(folder / "out"), whole);
    }
}

TEST_F(FileTest, AFileOfSomebodyElseIsLeftAlone) {
  for (const char* const text : {"root:x:0:0\n", "root", "{\"key\":\"12\"}\n", "\n"}) {
    std::ofstream(folder / "other", std::ios::binary) << text;
    EXPECT_THAT(error_of(folder / "other"), HasSubstr("holds lines that are not Koi's deliveries"));
    EXPECT_EQ(read(folder / "other"), text);
    fs::remove(folder / "other.keys");
  }
}

TEST_F(FileTest, WhatCannotBeOpenedIsNamedWithTheRemedy) {
  EXPECT_THAT(error_of(folder / "no/such/out"), HasSubstr("does its folder exist"));
  fs::create_directory(folder / "d");
  EXPECT_THAT(error_of(folder / "d"), HasSubstr((folder / "d").string()));
  EXPECT_THAT(error_of("/dev/null"), HasSubstr("no ordinary file"));
  const auto first = open(folder / "out");
  ASSERT_TRUE(first);
  EXPECT_THAT(error_of(folder / "out"), HasSubstr("another Koi writes to it"));
}

TEST_F(FileTest, ADamagedOrForeignIndexIsMadeAnew) {
  { EXPECT_EQ(deliver(**open(folder / "out"), {1, 1}), "done"); }
  for (const std::string& index :
       {std::string(), std::string("junk"), std::string(70'000, '\0'), std::string(69'632, 'x')}) {
    std::ofstream(folder / "out.keys", std::ios::binary) << index;
    EXPECT_EQ(deliver(**open(folder / "out"), {1, 1}), "done");
    EXPECT_EQ(read(folder / "out").size(), read(folder / "out").find('\n') + 1) << "written twice";
  }
}

// Killed at any moment, whoever starts again and repeats all that was open finds each key once.
TEST_F(FileTest, KilledAndRepeatedEachKeyStandsOnce) {
  std::mt19937_64 random(7);
  for (int round = 0; round < 12; ++round) {
    Victim child([&](int told) {
      auto connector = open(folder / "out");
      if (!connector) _exit(3);
      for (std::uint64_t i = 0;; ++i) {
        if (deliver(**connector, {5, i}) != "done") _exit(4);
        if (i < 100) Victim::tell(told, 'd');
      }
    });
    if (round % 3 != 0) {
      ASSERT_TRUE(child.has_told('d', 1 + static_cast<int>(random() % 100)));
    }
    sleep_some_while(random);
    ASSERT_TRUE(child.kill());
  }
  auto connector = open(folder / "out");
  ASSERT_TRUE(connector) << connector.error().what;
  std::istringstream lines(read(folder / "out"));
  std::set<std::string> keys;
  std::size_t count = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    EXPECT_TRUE(line.ends_with("}"));
    EXPECT_TRUE(keys.insert(line.substr(8, 32)).second) << line;
  }
  EXPECT_GT(count, 0u);
}

TEST(KeyIndex, GrowsThoughItsProcessesDieBeforeTheyCover) {
  const Scratch folder;
  std::uint64_t count = 0;
  const auto key = [](std::uint64_t i) { return Hash128{i, i * 0x9e3779b97f4a7c15}; };
  for (int life = 0; life < 40; ++life) {
    KeyIndex index;
    ASSERT_TRUE(index.open((folder / "keys").string(), 1u << 30));
    const std::uint64_t covered = index.covers();
    for (std::uint64_t i = covered; i < count; ++i) ASSERT_TRUE(index.add_uncovered(key(i)));
    ASSERT_TRUE(index.cover(count));
    for (std::uint64_t end = count + 300; count < end; ++count) ASSERT_TRUE(index.add(key(count)));
  }
  KeyIndex index;
  ASSERT_TRUE(index.open((folder / "keys").string(), 1u << 30));
  for (std::uint64_t i = 0; i < count; ++i) ASSERT_TRUE(*index.has(key(i)));
}

TEST(KeyIndex, ManyKeysAreFoundAgainAndOthersAreNot) {
  Scratch folder;
  const std::uint64_t count = 20'000;  // grows several times
  {
    KeyIndex index;
    ASSERT_TRUE(index.open((folder / "keys").string(), 1000));
    for (std::uint64_t i = 0; i < count; ++i) ASSERT_TRUE(index.add({i, i * 0x9e3779b97f4a7c15}));
    ASSERT_TRUE(index.add({0, 0}));
    ASSERT_TRUE(index.cover(1000));
  }
  KeyIndex index;
  ASSERT_TRUE(index.open((folder / "keys").string(), 1000));
  EXPECT_EQ(index.covers(), 1000u);
  for (std::uint64_t i = 0; i < count; ++i) ASSERT_TRUE(*index.has({i, i * 0x9e3779b97f4a7c15}));
  for (std::uint64_t i = 0; i < 1000; ++i)
    ASSERT_FALSE(*index.has({i + 1, i * 0x9e3779b97f4a7c15}));
  KeyIndex shorter;
  ASSERT_TRUE(shorter.open((folder / "keys").string(), 999));
  EXPECT_EQ(shorter.covers(), 0u) << "it covers more than there is: it belongs to another file";
}

}  // namespace

std::unique_ptr<channel::Provider> file_provider() { return std::make_unique<Disk>(); }

}  // namespace koi::connectors
