// A child process deploys one set of rules after another over real files, with orders coming in
// between, and is killed at random moments of all that. Whatever was acknowledged must be counted
// once, by metrics that were there and by those that came and went, and be thanked for once.
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <random>
#include <thread>

#include "base/victim.h"
#include "core/metrics.h"
#include "deploy/detail/trial.h"
#include "deploy/link.h"
#include "durable/input.h"
#include "durable/key_file.h"

namespace koi::deploy {
namespace {

namespace fs = std::filesystem;

constexpr int customer_count = 120;

std::string rules(const std::string& more) {
  return R"(policy { time zone "Asia/Shanghai"  currency CNY }
event order { amount: money }
event visit {}
channel app { class direct }
content thanks { body "thank you" }
metric orders = count order
campaign thank { class transactional  enter always  when order  send thanks via app }
)" + more;
}

const std::vector<Bundle>& all_bundles() {
  static const std::vector<Bundle> all{
      trial_bundle(rules("metric spent = sum order.amount\n")),
      trial_bundle(rules("")),
      trial_bundle(rules("metric spent = sum order.amount\nmetric most = max order.amount\n"
                         "segment rich when spent > ¥5.00\n")),
      trial_bundle(
          rules("segment many when orders > 3\nmetric month = sum order.amount over 30 days\n"
                "campaign watch { class service  enter always  when visit\n"
                "  wait 1 day  send thanks via app }\n")),
  };
  return all;
}

Timestamp now() {
  return {std::chrono::duration_cast<std::chrono::microseconds>(
              std::chrono::system_clock::now().time_since_epoch())
              .count()};
}

// What the child tells: a deploy begins, its states are on their way, it is done or one that was
// broken off is, and orders are taken.
constexpr char begins = 's', is_under_way = 'w', is_done = 'd', is_mended = 'b', takes_orders = 'o';

// One life of the process under one bundle, from opening the directory on. `told` is called when
// states are on their way.
struct LifeOnDisk {
  LifeOnDisk(const fs::path& path, const Bundle& bundle, std::function<void()> told = {})
      : directory(*store::Directory::open(path / "data", {.reserve = 1u << 20})),
        journal(*store::SqliteJournal::open(directory, trial_groups)),
        states(*store::SqliteStore::open(directory, trial_groups)),
        deeds(path / "keys") {
    const Site site{.directory = directory,
                    .journal = *journal,
                    .store = *states,
                    .groups = trial_groups,
                    .deeds = [&](const plan::Plan&) -> std::unique_ptr<durable::Deeds> {
                      return std::make_unique<durable::KeyFile>(path / "keys");
                    },
                    .clock = now,
                    .progress =
                        [&](const Progress& progress) {
                          if (progress.stage != Stage::Tail && told) std::exchange(told, {})();
                        },
                    .budget = 2u << 20,
                    .walk = {.customers = 20, .bytes = 100'000, .piece = 50}};
    auto deployed = deploy(site, bundle);
    if (!deployed) die(deployed.error());
    reports = *std::move(deployed);
    durable::Settings settings;
    settings.budget = 2u << 20;
    settings.longest_batch = 20;
    settings.checkpoints = {std::chrono::milliseconds(5), 40, std::chrono::milliseconds(10)};
    Live decides = *deploy::live(directory);
    plan = std::move(decides.plan);
    auto opened = durable::Writers::open(
        {plan, decides.rules, *journal, *states, trial_groups, deeds, now}, settings);
    if (!opened) die(opened.error());
    writers = *std::move(opened);
    writers->start([](const Error& error) {
      if (error.code != "stopping") die(error);  // a life that ends without a stop is no trouble
    });
  }

  [[noreturn]] static void die(const Error& error) {
    std::fprintf(stderr, "%s: %s\n", error.code.c_str(), error.what.c_str());
    ::_exit(1);
  }

  store::Directory directory;
  std::unique_ptr<store::SqliteJournal> journal;
  std::unique_ptr<store::SqliteStore> states;
  durable::KeyFile deeds;
  plan::Plan plan;
  std::vector<Report> reports;
  std::unique_ptr<durable::Writers> writers;
};

// In the child: one bundle after the other, until it is killed.
[[noreturn]] void live_until_killed(const fs::path& path, int number, std::uint64_t seed,
                                    int acknowledged, int told) {
  std::mt19937_64 chance(seed);
  for (;;) {
    Victim::tell(told, begins);
    LifeOnDisk life(path, all_bundles()[chance() % all_bundles().size()],
                    [&] { Victim::tell(told, is_under_way); });
    for (const Report& report : life.reports)
      Victim::tell(told, report.was_broken_off ? is_mended : is_done);
    Victim::tell(told, takes_orders);
    for (int batch = static_cast<int>(chance() % 30); batch > 0; --batch) {
      std::vector<int> numbers;
      std::vector<durable::Given> inputs;
      for (std::uint64_t i = 1 + chance() % 4; i > 0; --i) {
        numbers.push_back(number);
        inputs.emplace_back(event_of(life.plan, {"order",
                                                 "e" + std::to_string(number),
                                                 "c" + std::to_string(number * 7 % customer_count),
                                                 now(),
                                                 {{"amount", Value::money(number % 100)}}}));
        ++number;
      }
      const auto taken = life.writers->submit(std::move(inputs), [=](auto result) {
        if (!result) return;
        const auto size = static_cast<ssize_t>(numbers.size() * sizeof(int));
        if (::write(acknowledged, numbers.data(), numbers.size() * sizeof(int)) != size) ::_exit(2);
      });
      if (!taken) LifeOnDisk::die(taken.error());
      std::this_thread::sleep_for(std::chrono::microseconds(100));
    }
    // Sometimes a clean stop, sometimes a tail is left behind.
    if (chance() % 2 == 0 && !life.writers->stop()) ::_exit(3);
  }
}

// What the journal says, by customer: his orders' ids and what they came to.
struct Counted {
  std::set<std::string> ids;
  std::int64_t spent = 0, most = 0;
};
std::map<std::string, Counted> counted(const store::Directory& directory,
                                       const store::Journal& journal) {
  const Bundles bundles(directory);
  Plans compiled(bundles);
  std::map<std::uint64_t, const plan::Plan*> plans;
  const Deployment deployment = **read_deployment(directory);
  for (const Turn& turn : deployment.turns)
    plans.emplace(rules_of(name_of(turn)), *compiled.of(turn));
  std::map<std::string, Counted> all;
  for (store::Group group = 0; group < trial_groups.count; ++group) {
    const plan::Plan* plan = nullptr;
    for (store::Position at = 1;;) {
      const auto rows = *journal.read(group, at, 1000);
      if (rows.empty()) break;
      at += rows.size();
      for (const store::Read& read : rows) {
        if (const auto opening = durable::decode_opening(read.row.bytes)) {
          plan = plans.at(opening->rules);
          continue;
        }
        const auto input = *durable::decode_input(*plan, read.row.bytes);
        const Event& event = std::get<Event>(input);
        Counted& customer = all[event.customer];
        if (!customer.ids.insert(event.id).second) continue;
        customer.spent += event.fields[0].raw();
        customer.most = std::max(customer.most, event.fields[0].raw());
      }
    }
  }
  return all;
}

class Killed : public ::testing::Test {
 protected:
  void one_life() {
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    const std::uint64_t seed = chance_();
    Victim child([&](int told) {
      ::close(ends[0]);
      live_until_killed(folder_->path(), first_, seed, ends[1], told);
    });
    ::close(ends[1]);
    constexpr std::array marks{begins, is_under_way, takes_orders};
    if (const std::size_t which = chance_() % 4; which < marks.size()) {
      ASSERT_TRUE(child.has_told(marks[which], 1 + static_cast<int>(chance_() % 2)))
          << "the child never came to `" << marks[which] << "`";
    }  // else at any moment of its life
    sleep_some_while(chance_);
    EXPECT_TRUE(child.kill()) << "the child died by itself";
    for (int number = 0; ::read(ends[0], &number, sizeof number) == sizeof number;) {
      acknowledged_.insert(number);
      first_ = std::max(first_, number + 1);
    }
    ::close(ends[0]);
    first_ += 200;  // what was not acknowledged may be there too
    for (const char mark : child.marks()) {
      deploys_ += mark == is_done ? 1 : 0;
      broken_off_ += mark == is_mended ? 1 : 0;
    }
  }

  // A build decides the whole journal again, with a walk for each deploy in it: a history that is
  // long would leave no time for anything else.
  void begin_again() {
    folder_ = std::make_unique<Scratch>();
    all_acknowledged_ += acknowledged_.size();
    acknowledged_.clear();
    first_ = 0;
  }

  void look() {
    // All metrics there are, some of them new to these rules again.
    const Bundle& bundle = all_bundles()[2];
    std::map<std::string, Counted> expected;
    {
      LifeOnDisk life(folder_->path(), bundle);
      for (const Report& report : life.reports) broken_off_ += report.was_broken_off ? 1 : 0;
      ASSERT_TRUE(life.writers->stop());
      expected = counted(life.directory, *life.journal);
      std::set<std::string> ids;
      for (const auto& [customer, each] : expected) ids.insert(each.ids.begin(), each.ids.end());
      for (const int number : acknowledged_)
        ASSERT_TRUE(ids.contains("e" + std::to_string(number))) << "order " << number;
      // He enters and is sent one message, for each order.
      EXPECT_EQ(keys_in(folder_->path() / "keys").size(), 2 * ids.size());
      core::Codec codec(life.plan);
      std::size_t states = 0;
      for (store::Group group = 0; group < trial_groups.count; ++group) {
        const auto layouts = *life.states->layouts(group);
        for (const std::string& layout : layouts) ASSERT_TRUE(codec.learn(layout));
      }
      for (std::size_t partition = 0; partition < partition_count; ++partition) {
        const auto found = *life.states->scan(static_cast<Partition>(partition), "", 1'000'000);
        for (const store::Saved& saved : found) {
          const core::State state = *codec.decode(saved.bytes);
          const Counted& right = expected.at(saved.customer);
          const auto value = [&](std::string_view name) {
            for (const plan::Metric& metric : life.plan.metrics)
              if (metric.symbol.name == name)
                return core::read(life.plan, metric, state, state.clock).raw();
            return std::int64_t{-1};
          };
          EXPECT_EQ(value("orders"), std::ssize(right.ids)) << saved.customer;
          EXPECT_EQ(value("spent"), right.spent) << saved.customer;
          EXPECT_EQ(value("most"), right.most) << saved.customer;
          EXPECT_EQ(state.watches[0].inside, right.spent > 500) << saved.customer;
          ++states;
        }
      }
      EXPECT_EQ(states, expected.size());
    }
  }

  std::unique_ptr<Scratch> folder_ = std::make_unique<Scratch>();
  std::mt19937_64 chance_{std::random_device()()};
  std::set<int> acknowledged_;
  std::size_t all_acknowledged_ = 0;
  int first_ = 0, deploys_ = 0, broken_off_ = 0;
};

TEST_F(Killed, NothingIsLostOrDoubledBySigkillInADeploy) {
  const char* many = std::getenv("KOI_CRASHES");
  const int kills = many ? std::atoi(many) : 50;
  // Half of the lives wait for a deploy to be under way or over: soon there are enough of each.
  const auto has_met_enough = [&] { return deploys_ > kills / 5 && broken_off_ > kills / 50; };
  for (int kill = 1; (kill <= kills || !has_met_enough()) && kill <= 6 * kills && !HasFailure();
       ++kill) {
    one_life();
    if (kill % 10 != 0) continue;
    look();
    begin_again();
  }
  EXPECT_GT(deploys_, kills / 5);
  EXPECT_GT(broken_off_, kills / 50) << "kills that met a deploy";
  std::printf("%zu orders acknowledged, %d deploys, %d of them finished after a kill\n",
              all_acknowledged_, deploys_ + broken_off_, broken_off_);
}

}  // namespace
}  // namespace koi::deploy
