// A child process that takes numbered inputs in and acknowledges them is killed at random moments
// and started again, on the real files. What was acknowledged must be there, once.
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <thread>

#include "base/scratch.h"
#include "base/victim.h"
#include "durable/detail/trial.h"
#include "durable/key_file.h"
#include "durable/writers.h"
#include "store/sqlite_journal.h"
#include "store/sqlite_store.h"

namespace koi::durable {
namespace {

namespace fs = std::filesystem;

constexpr int customer_count = 300;

Timestamp now() {
  return {std::chrono::duration_cast<std::chrono::microseconds>(
              std::chrono::system_clock::now().time_since_epoch())
              .count()};
}

// One life of the process, from opening the directory on.
struct Life {
  explicit Life(const fs::path& path)
      : deeds(path / "keys"),
        directory(*store::Directory::open(path / "data", {.reserve = 1u << 20})),
        journal(*store::SqliteJournal::open(directory, two_groups)),
        states(*store::SqliteStore::open(directory, two_groups)),
        writers(*Writers::open({plan, trial_rules, *journal, *states, two_groups, deeds, now},
                               settings())) {}

  // Small enough that states come and go, and checkpoints happen, in the time that a life has.
  static Settings settings() {
    Settings settings;
    settings.budget = std::uint64_t{two_groups.count} * 60'000;
    settings.longest_batch = 50;
    settings.longest_queue = 200;
    settings.timers_at_once = 20;
    settings.checkpoints = {std::chrono::milliseconds(5), 40, std::chrono::milliseconds(10)};
    return settings;
  }

  plan::Plan plan = trial_plan(microseconds(15'000));
  KeyFile deeds;
  store::Directory directory;
  std::unique_ptr<store::SqliteJournal> journal;
  std::unique_ptr<store::SqliteStore> states;
  std::unique_ptr<Writers> writers;
};

// In the child: sends from `first` on until it is killed, writes what is acknowledged, and tells of
// each time.
[[noreturn]] void live(const fs::path& path, int first, int acknowledged, int told) {
  Life life(path);
  life.writers->start([](const Error& error) {
    std::fprintf(stderr, "%s: %s\n", error.code.c_str(), error.what.c_str());
    ::_exit(1);
  });
  for (int number = first;;) {
    std::vector<int> numbers;
    std::vector<Given> inputs;
    for (int i = 0; i < 1 + number % 4; ++i) numbers.push_back(number + i);
    for (const int each : numbers)
      inputs.push_back(trial_order(life.plan, "e" + std::to_string(each),
                                   "c" + std::to_string(each * 7 % customer_count), now(), each));
    const auto taken = life.writers->submit(std::move(inputs), [=](auto result) {
      if (!result) return;
      const auto size = static_cast<ssize_t>(numbers.size() * sizeof(int));
      if (::write(acknowledged, numbers.data(), numbers.size() * sizeof(int)) != size) ::_exit(2);
      Victim::tell(told, 'a');
    });
    if (taken) number += static_cast<int>(numbers.size());
    std::this_thread::sleep_for(std::chrono::microseconds(taken ? 30 : 300));
  }
}

class Crash : public ::testing::Test {
 protected:
  void one_life() {
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    Victim child([&](int told) {
      ::close(ends[0]);
      live(scratch_.path(), first_, ends[1], told);
    });
    ::close(ends[1]);
    // At any moment of its life, or of its work.
    if (chance_() % 4 != 0) {
      ASSERT_TRUE(child.has_told('a', 1 + static_cast<int>(chance_() % 40)))
          << "the child acknowledged nothing";
    }
    sleep_some_while(chance_);
    EXPECT_TRUE(child.kill()) << "the child died by itself";
    for (int number = 0; ::read(ends[0], &number, sizeof number) == sizeof number;)
      EXPECT_TRUE(acknowledged_.insert(number).second) << "acknowledged twice";
    ever_acknowledged_.insert(acknowledged_.begin(), acknowledged_.end());
    ::close(ends[0]);
    // The source begins again where it has no acknowledgement.
    while (acknowledged_.contains(first_)) ++first_;
    std::erase_if(acknowledged_, [&](int number) { return number > first_; });
  }

  void look() {
    Life life(scratch_.path());
    life.writers->start([](const Error& error) { ADD_FAILURE() << error.what; });
    ASSERT_TRUE(life.writers->stop());
    const Expected expected = expected_of(life.plan, *life.journal, two_groups);
    for (const int number : ever_acknowledged_)
      ASSERT_TRUE(expected.ids.contains("e" + std::to_string(number))) << "event " << number;
    EXPECT_EQ(expected.orders(), std::ssize(expected.ids));
    std::map<std::string, std::string> stored;
    for (Partition partition = 0; partition < partition_count; ++partition) {
      const auto all = *life.states->scan(partition, "", 1'000'000);
      for (const store::Saved& saved : all) stored[saved.customer] = saved.bytes;
    }
    EXPECT_EQ(stored, expected.bytes(life.plan));
    const std::set<Hash128> decided(expected.effects.begin(), expected.effects.end());
    EXPECT_EQ(decided.size(), expected.effects.size());
    EXPECT_EQ(keys_in(scratch_ / "keys"), decided);
    timers_ = expected.timers;
  }

  Scratch scratch_;
  std::mt19937_64 chance_{std::random_device()()};
  std::set<int> acknowledged_;  // since the source last began again, and all before that
  std::set<int> ever_acknowledged_;
  int first_ = 0;  // all before it are acknowledged
  std::uint64_t timers_ = 0;
};

TEST_F(Crash, NothingAcknowledgedIsLostAndNothingIsDoubledBySigkill) {
  const char* many = std::getenv("KOI_CRASHES");
  const int crashes = many ? std::atoi(many) : 50;
  for (int crash = 1; crash <= crashes && !HasFailure(); ++crash) {
    one_life();
    if (crash % 10 == 0) look();
  }
  look();
  EXPECT_GT(first_, 5 * crashes);
  EXPECT_GT(timers_, static_cast<std::uint64_t>(crashes));
  RecordProperty("acknowledged", first_);
  std::printf("%d events acknowledged, %llu timers fired\n", first_,
              static_cast<unsigned long long>(timers_));
}

}  // namespace
}  // namespace koi::durable
