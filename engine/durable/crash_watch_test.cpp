// A process whose rules crash on one customer's input, and on another one's timer: after the second
// crash both are left out, and everyone else is served.
#include "durable/crash_watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <functional>

#include "base/scratch.h"
#include "durable/by_hand.h"
#include "durable/detail/trial.h"
#include "store/sqlite_journal.h"
#include "store/sqlite_store.h"

namespace koi::durable {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

const std::string crashes_now = "sku of a crash", crashes_later = "sku of a later crash";

// Orders of the one sku crash at once, those of the other an hour later, at the timer.
plan::Plan crashing_plan() {
  plan::Plan plan = trial_plan();
  const auto node = [&](plan::Node made) {
    plan.nodes.push_back(made);
    return plan::NodeId::of(plan.nodes.size() - 1);
  };
  const auto is = [&](const std::string& sku) {
    plan.constants.push_back(Value::text(sku));
    const auto constant =
        node({.kind = Kind::Text, .index = static_cast<std::uint32_t>(plan.constants.size() - 1)});
    return node(
        {.op = plan::Op::Equal, .kind = Kind::Bool, .a = plan::NodeId::of(0), .b = constant});
  };
  constexpr auto broken = static_cast<plan::Op>(200);  // which no evaluator knows
  const plan::Set crash{AttributeId::of(3),
                        node({.op = broken, .kind = Kind::Text, .a = plan::NodeId::of(0)}), 3};
  std::vector<plan::Step>& steps = plan.campaigns[0].steps;
  const std::vector<plan::Step> usual = steps;  // send, wait, send, set
  steps = {plan::If{is(crashes_now), 2},   crash, usual[0], usual[1],
           plan::If{is(crashes_later), 6}, crash, usual[2], usual[3]};
  return plan;
}

struct CrashingLife {
  explicit CrashingLife(const std::filesystem::path& path, Timestamp at)
      : now(at), directory(*store::Directory::open(path / "data", {.reserve = 1u << 20})) {
    watch = *CrashWatch::open(directory, two_groups);
    writers = *Writers::open({plan, trial_rules, *journal, *states, two_groups, deeds,
                              [this] { return now; }, watch.get()},
                             {.recovers_at_once = false});
  }
  void run() { run_dry(*writers); }
  void order(const std::string& id, const std::string& customer, const std::string& sku) {
    Event event = trial_order(plan, id, customer, now, 1);
    event.fields[1] = Value::text(sku);
    EXPECT_TRUE(writers->submit({event}, [this, id](const auto& result) {
      if (result) answers[id] = (*result)[0].standing;
    }));
    run();
  }
  // How many orders of the customer count; nothing where there is no such customer.
  std::optional<std::int64_t> orders(const std::string& customer) {
    std::optional<std::int64_t> orders;
    writers->look(customer, [&](const Result<const core::State*>& state) {
      if (state && *state) orders = (*state)->accumulators[0].count;
    });
    return orders;
  }
  // By this start.
  std::vector<store::SetAside> set_aside() const {
    std::vector<store::SetAside> all;
    for (const Recovered& group : writers->recovered())
      if (group.set_aside) all.push_back(*group.set_aside);
    return all;
  }

  plan::Plan plan = crashing_plan();
  Timestamp now;
  Nowhere deeds;
  store::Directory directory;
  std::unique_ptr<store::SqliteJournal> journal =
      *store::SqliteJournal::open(directory, two_groups);
  std::unique_ptr<store::SqliteStore> states = *store::SqliteStore::open(directory, two_groups);
  std::unique_ptr<CrashWatch> watch;
  std::unique_ptr<Writers> writers;
  std::map<std::string, core::Standing> answers;
};

class CrashWatchTest : public ::testing::Test {
 protected:
  // What a process that does this ends by; 0: by itself.
  template <class Act>
  int signal_of(Act act) {
    const pid_t child = ::fork();
    if (child == 0) {
      const rlimit none{0, 0};
      ::setrlimit(RLIMIT_CORE, &none);
      std::fclose(stderr);
      // A sanitizer has handlers of its own, which would end the process otherwise.
      for (const int signal : {SIGSEGV, SIGABRT}) std::signal(signal, SIG_DFL);
      act();
      ::_exit(0);
    }
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  }
  int signal_of_start() {
    return signal_of([this] { CrashingLife(scratch_.path(), now_).run(); });
  }

  Scratch scratch_;
  Timestamp now_ = *parse_instant("2026-03-02T10:00:00Z");
};

TEST_F(CrashWatchTest, AnInputThatCrashesTwiceIsSetAsideAndEveryoneElseGoesOn) {
  EXPECT_EQ(signal_of([&] {
              CrashingLife life(scratch_.path(), now_);
              life.order("e1", "ann", "tea");
              life.order("e2", "bob", crashes_now);
            }),
            SIGABRT);
  EXPECT_EQ(signal_of_start(), SIGABRT);
  ASSERT_EQ(signal_of_start(), 0);

  CrashingLife life(scratch_.path(), now_);
  EXPECT_THAT(life.set_aside(), IsEmpty()) << "once is enough";
  life.run();
  EXPECT_EQ(life.orders("ann"), 1);
  EXPECT_EQ(life.orders("bob"), std::nullopt);
  life.order("e2", "bob", crashes_now);  // the source has no answer, and sends it again
  EXPECT_EQ(life.answers.at("e2"), core::Standing::Duplicate);
  life.order("e3", "bob", "tea");
  EXPECT_EQ(life.answers.at("e3"), core::Standing::Applied);
  EXPECT_EQ(life.orders("bob"), 1);
}

TEST_F(CrashWatchTest, TheStartThatSetsSomethingAsideSaysSo) {
  ASSERT_EQ(signal_of([&] { CrashingLife(scratch_.path(), now_).order("e1", "bob", crashes_now); }),
            SIGABRT);
  ASSERT_EQ(signal_of_start(), SIGABRT);
  const CrashingLife life(scratch_.path(), now_);
  EXPECT_THAT(life.set_aside(), ElementsAre(store::SetAside{2, 0}));  // behind its opening
  EXPECT_TRUE(
      life.writers->recovered()[two_groups.group_of(partition_of("bob"))].set_aside.has_value());
  EXPECT_EQ(life.writers->figures().set_aside, 1u);
}

TEST_F(CrashWatchTest, TimersThatCrashTwiceAreSetAsideAndOthersFire) {
  std::vector<std::string> others;
  for (int i = 0; i < 20; ++i) others.push_back("c" + std::to_string(i));
  ASSERT_EQ(signal_of([&] {
              CrashingLife life(scratch_.path(), now_);
              life.order("e", "bob", crashes_later);
              for (const std::string& each : others) life.order("e " + each, each, "tea");
              ASSERT_TRUE(life.writers->checkpoint(0) && life.writers->checkpoint(1));
            }),
            0);
  now_ = now_ + hours(2);
  ASSERT_EQ(signal_of_start(), SIGABRT);
  ASSERT_EQ(signal_of_start(), SIGABRT);
  CrashingLife life(scratch_.path(), now_);
  ASSERT_EQ(life.set_aside().size(), 1u);
  EXPECT_NE(life.set_aside()[0].customer, 0u);
  life.run();
  for (const std::string& each : others)
    life.writers->look(each, [&](const Result<const core::State*>& state) {
      EXPECT_THAT((*state)->journeys, IsEmpty());
      EXPECT_EQ((*state)->attributes[3], Value::text("tea")) << "set by the last step";
    });
  life.writers->look("bob", [](const Result<const core::State*>& state) {
    EXPECT_EQ((*state)->attributes[3], Value());
    EXPECT_EQ(core::next_due(**state), Timestamp::never());
  });
  life.order("e4", "bob", "tea");
  EXPECT_EQ(life.orders("bob"), 2);
}

TEST_F(CrashWatchTest, AKillSaysNothingAboutTheInput) {
  const auto stepped_and = [&](int signal) {
    return signal_of([&] {
      const auto directory = *store::Directory::open(scratch_.path() / "data", {.reserve = 1});
      const auto watch = *CrashWatch::open(directory, two_groups);
      watch->stepping(1, {7, 0});
      ::raise(signal);
    });
  };
  const auto suspect = [&] {
    const auto directory = *store::Directory::open(scratch_.path() / "data", {.reserve = 1});
    return (*CrashWatch::open(directory, two_groups))->suspect(1);
  };
  ASSERT_EQ(stepped_and(SIGKILL), SIGKILL);
  ASSERT_EQ(stepped_and(SIGKILL), SIGKILL);
  EXPECT_EQ(suspect(), std::nullopt);
  ASSERT_EQ(stepped_and(SIGABRT), SIGABRT);
  EXPECT_EQ(suspect(), std::nullopt);
  ASSERT_EQ(stepped_and(SIGABRT), SIGABRT);
  EXPECT_EQ(suspect(), (store::SetAside{7, 0}));
}

TEST_F(CrashWatchTest, AStackThatOverflowsCountsToo) {
  const auto overflow = [&] {
    const auto directory = *store::Directory::open(scratch_.path() / "data", {.reserve = 1});
    const auto watch = *CrashWatch::open(directory, two_groups);
    watch->stepping(0, {3, 0});
    const std::function<int(int)> deeper = [&](int depth) {
      volatile char room[4096];
      room[0] = static_cast<char>(depth);
      return deeper(depth + 1) + room[0];
    };
    ::_exit(deeper(0) == 0 ? 3 : 4);
  };
  ASSERT_EQ(signal_of(overflow), SIGSEGV);
  ASSERT_EQ(signal_of(overflow), SIGSEGV);
  const auto directory = *store::Directory::open(scratch_.path() / "data", {.reserve = 1});
  EXPECT_EQ((*CrashWatch::open(directory, two_groups))->suspect(0), (store::SetAside{3, 0}));
}

}  // namespace
}  // namespace koi::durable
