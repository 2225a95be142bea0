// How many events a second are journalled, decided and answered, against the plain layout and
// against memory alone, in one run on one disk. Prints a table of ratios.
//
//   koi-bench-durable FOLDER [CUSTOMERS [EVENTS [PART]]]
//
// 1,000,000 and 4,000,000 where not given. PART (zipf, uniform, plain, memory) measures that alone,
// for a profile. Each part is measured in a process of its own.
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <filesystem>
#include <iostream>
#include <mutex>

#include "../rules.h"
#include "activity.h"
#include "durable/writers.h"
#include "plain.h"
#include "store/memory.h"
#include "store/over.h"
#include "store/sqlite_journal.h"
#include "store/sqlite_store.h"

namespace {

using namespace koi;
using Clock = std::chrono::steady_clock;
namespace fs = std::filesystem;

constexpr store::Groups groups{2};
constexpr std::uint64_t budget = 256u << 20;
constexpr std::size_t group_size = 100;  // inputs of a group in one commit
constexpr std::size_t json_bytes = 167;  // of an event of the reference workload, on average
constexpr Duration between = seconds(1) + Duration{-950'000};  // events of the whole shop

class Nowhere final : public durable::Deeds {
 public:
  void take(store::Group, std::vector<durable::Deed> deeds) override { taken += deeds.size(); }
  std::string freeze(store::Group) override { return {}; }
  Result<void> thaw(store::Group, std::string_view) override { return {}; }
  std::atomic<std::size_t> taken = 0;
};

// A journal that keeps nothing: what is left is the rate of memory.
class NoJournal final : public store::Journal {
 public:
  Result<store::Epoch> take(store::Group) override { return store::Epoch{1}; }
  Result<std::vector<store::Position>> append(std::span<const store::Appended> batches) override {
    std::vector<store::Position> last;
    for (const auto& batch : batches) last.push_back(last_[batch.group] += batch.rows.size());
    return last;
  }
  Result<std::vector<store::Read>> read(store::Group, store::Position, std::size_t) const override {
    return std::vector<store::Read>();
  }
  Result<store::Position> last(store::Group group) const override { return last_[group]; }
  Result<Hash128> chain(store::Group, store::Position) const override { return Hash128{}; }
  Result<void> set_aside(store::Group, store::Epoch, store::SetAside) override { return {}; }
  Result<std::vector<store::SetAside>> set_aside(store::Group) const override {
    return std::vector<store::SetAside>();
  }
  Result<void> drop(store::Group, store::Epoch, store::Position) override { return {}; }

 private:
  std::array<store::Position, 16> last_{};
};

// How long each commit took.
class Timed final : public store::JournalOver {
 public:
  using JournalOver::JournalOver;
  Result<std::vector<store::Position>> write(std::span<const store::Appended> batches) override {
    {
      const std::lock_guard lock(mutex_);
      begun_.push_back(Clock::now());
    }
    auto done = JournalOver::write(batches);
    const std::lock_guard lock(mutex_);
    ++written_;
    return done;
  }
  // A sync is that of all commits that were written before it.
  Result<void> sync() override {
    const std::size_t durable = [&] {
      const std::lock_guard lock(mutex_);
      return std::exchange(written_, 0);
    }();
    auto done = JournalOver::sync();
    const std::lock_guard lock(mutex_);
    for (std::size_t i = 0; i < durable; ++i) {
      took.push_back(
          std::chrono::duration<double, std::milli>(Clock::now() - begun_.front()).count());
      begun_.pop_front();
    }
    return done;
  }
  std::vector<double> took;

 private:
  std::mutex mutex_;
  std::deque<Clock::time_point> begun_;  // of commits that are not durable yet …
  std::size_t written_ = 0;              // … and how many of them are written, the first ones
};

double share(std::vector<double>& sorted, double of) {
  std::sort(sorted.begin(), sorted.end());
  return sorted.empty()
             ? 0
             : sorted[std::min(sorted.size() - 1,
                               static_cast<std::size_t>(static_cast<double>(sorted.size()) * of))];
}

// One shop: its clock goes with its events, so that windows and timers are those of weeks.
class Shop {
 public:
  Shop(const plan::Plan& plan, const std::vector<std::uint32_t>& who,
       Timestamp begin = *parse_instant("2026-03-02T10:00:00Z"))
      : who_(who),
        page_view_(plan.schema.find_event("page_view")),
        add_to_cart_(plan.schema.find_event("add_to_cart")),
        purchase_(plan.schema.find_event("purchase")),
        now_(begin.us) {}

  Event next() {
    Event event;
    char text[24];
    std::snprintf(text, sizeof text, "e%012llu", static_cast<unsigned long long>(number_));
    event.id = text;
    const std::uint32_t customer = who_[number_ % who_.size()];
    std::snprintf(text, sizeof text, "c%07u", customer);
    event.customer = text;
    now_.store(now_.load() + between.us);
    event.time = {now_.load()};
    const std::uint64_t dice = hash64(event.id);
    if (dice % 100 < 80) {
      event.type = page_view_;
      event.fields = {Value::text("/item/" + std::to_string(dice % 9999)),
                      Value::integer(static_cast<std::int64_t>(dice % 60))};
    } else if (dice % 100 < 92) {
      event.type = add_to_cart_;
      event.fields = {Value::text("sku" + std::to_string(dice % 9999)),
                      Value::money(static_cast<std::int64_t>(dice % 50'000))};
    } else {
      event.type = purchase_;
      event.fields = {Value::text("o" + std::to_string(dice % 999'999)),
                      Value::money(static_cast<std::int64_t>(dice % 50'000))};
    }
    ++number_;
    return event;
  }
  Timestamp now() const { return {now_.load()}; }

 private:
  const std::vector<std::uint32_t>& who_;
  EventTypeId page_view_, add_to_cart_, purchase_;
  std::uint64_t number_ = 0;
  std::atomic<std::int64_t> now_;
};

struct Measured {
  double events_per_second = 0, answer_p50 = 0, answer_p99 = 0, answer_max = 0;
};

// Sends `events` in groups, a bounded number of them under way, until all are answered: as many
// inputs as those of 64 connections with 100 each, which is what `./dev bench serve` sends.
Measured run(durable::Writers& writers, Shop& shop, std::size_t events) {
  constexpr std::size_t under_way = 64 / groups.count;
  std::mutex mutex;
  std::condition_variable changed;
  std::size_t open = 0;
  std::vector<double> took;
  const auto begin = Clock::now();
  for (std::size_t sent = 0; sent < events;) {
    std::vector<durable::Given> inputs;
    inputs.reserve(groups.count * group_size);
    for (std::size_t i = 0; i < groups.count * group_size; ++i) inputs.push_back(shop.next());
    sent += inputs.size();
    {
      std::unique_lock lock(mutex);
      changed.wait(lock, [&] { return open < under_way; });
      ++open;
    }
    const auto asked = Clock::now();
    const auto done = [&, asked](const auto& result) {
      if (!result) {
        std::cerr << result.error().what << "\n";
        std::exit(2);
      }
      const std::lock_guard lock(mutex);
      took.push_back(std::chrono::duration<double, std::milli>(Clock::now() - asked).count());
      --open;
      changed.notify_one();
    };
    while (!writers.submit(std::move(inputs), done))
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  std::unique_lock lock(mutex);
  changed.wait(lock, [&] { return open == 0; });
  const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  return {static_cast<double>(events) / seconds, share(took, .5), share(took, .99), share(took, 1)};
}

durable::Settings settings(std::uint64_t bytes) {
  durable::Settings settings;
  settings.budget = bytes;
  settings.longest_batch = group_size;
  return settings;
}

void trouble(const Error& error) { std::cerr << error.code << ": " << error.what << "\n"; }

// Everybody has been there once.
std::vector<std::uint32_t> everybody(std::uint32_t customers) {
  std::vector<std::uint32_t> all(customers);
  for (std::uint32_t i = 0; i < customers; ++i) all[i] = i;
  return all;
}

struct Row {
  Measured measured;
  double commit_p50 = 0, commit_p99 = 0, commit_max = 0;
  std::uint64_t written = 0, checkpoints = 0;
  double recovery = 0;
  std::uint64_t recovered = 0, peak = 0;  // MiB
  Timestamp ended{};
  double cpu = 0;                   // microseconds of processor for each event
  double loads = 0, decodings = 0;  // for each event: customers read from the store, made of
                                    // their bytes
};

// What `measure` gives, measured by a process of its own: its memory is that of this alone.
template <class Measure>
auto apart(Measure measure) {
  using Figures = decltype(measure());
  static_assert(std::is_trivially_copyable_v<Figures>);
  std::array<int, 2> ends{};
  const auto failed = [] {
    std::perror("koi-bench-durable");
    std::exit(2);
  };
  if (::pipe(ends.data()) != 0) failed();
  std::fflush(stdout);
  const pid_t child = ::fork();
  if (child < 0) failed();
  if (child == 0) {
    const Figures figures = measure();
    ::_exit(::write(ends[1], &figures, sizeof figures) == sizeof figures ? 0 : 2);
  }
  ::close(ends[1]);
  Figures figures{};
  const bool is_whole = ::read(ends[0], &figures, sizeof figures) == sizeof figures;
  ::close(ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  if (!is_whole || status != 0) std::exit(2);  // it has said why
  return figures;
}

// One life of a deployment, in a process of its own: `live` is given the world, how long its
// commits take, and where to say whose clock it goes by.
template <class Live>
auto in_a_life(const fs::path& folder, const plan::Plan& plan, Live live) {
  return apart([&] {
    Nowhere deeds;
    auto directory = *store::Directory::open(folder);
    auto journal = *store::SqliteJournal::open(directory, groups);
    auto states = *store::SqliteStore::open(directory, groups);
    Timed timed(*journal);
    Shop* shop = nullptr;
    const durable::World world{plan, 1, timed, *states, groups, deeds, [&] { return shop->now(); }};
    return live(world, timed, shop);
  });
}

Row measure_durable(const fs::path& folder, const plan::Plan& plan, std::uint32_t customers,
                    const std::vector<std::uint32_t>& who, std::size_t events) {
  fs::remove_all(folder);
  in_a_life(folder, plan, [&](const durable::World& world, Timed&, Shop*& shop) {
    const auto all = everybody(customers);
    Shop first(plan, all);
    shop = &first;
    auto writers = *durable::Writers::open(world, settings(budget));
    writers->start(trouble);
    run(*writers, first, customers);
    if (!writers->stop()) std::exit(2);
    return true;
  });
  const auto serve = [&](const durable::World& world, Timed& timed, Shop*& shop) {
    Row row;
    Shop second(plan, who);
    shop = &second;
    second.next();
    auto writers = *durable::Writers::open(world, settings(budget));
    writers->start(trouble);
    run(*writers, second, events / 8);
    timed.took.clear();
    const std::uint64_t written = bench::written_bytes(), checkpoints = writers->checkpoints();
    const auto each_event = [&](std::uint64_t (durable::Customers::*figure)() const) {
      std::uint64_t sum = 0;
      for (store::Group group = 0; group < groups.count; ++group)
        sum += (writers->writer(group).customers().*figure)();
      return static_cast<double>(sum) / static_cast<double>(events);
    };
    row.loads = -each_event(&durable::Customers::loads);
    row.decodings = -each_event(&durable::Customers::decodings);
    const double cpu = bench::processor_seconds();
    row.measured = run(*writers, second, events);
    row.cpu = (bench::processor_seconds() - cpu) * 1e6 / static_cast<double>(events);
    row.loads += each_event(&durable::Customers::loads);
    row.decodings += each_event(&durable::Customers::decodings);
    row.written = (bench::written_bytes() - written) / events;
    row.checkpoints = writers->checkpoints() - checkpoints;
    row.commit_p50 = share(timed.took, .5);
    row.commit_p99 = share(timed.took, .99);
    row.commit_max = share(timed.took, 1);
    row.ended = second.now();
    row.peak = bench::peak_mib();
    return row;
  };  // without a stop: as if it had died
  Row row = in_a_life(folder, plan, serve);
  const auto recover = [&](const durable::World& world, Timed&, Shop*& shop) {
    Row again;
    Shop third(plan, who, row.ended);
    shop = &third;
    const auto begin = Clock::now();
    const auto writers = *durable::Writers::open(world, settings(budget));
    again.recovery = std::chrono::duration<double>(Clock::now() - begin).count();
    for (const auto& recovered : writers->recovered()) again.recovered += recovered.inputs;
    again.peak = bench::peak_mib();
    return again;
  };
  const Row again = in_a_life(folder, plan, recover);
  row.recovery = again.recovery;
  row.recovered = again.recovered;
  row.peak = std::max(row.peak, again.peak);
  return row;
}

double measure_memory(const plan::Plan& plan, std::uint32_t customers,
                      const std::vector<std::uint32_t>& who, std::size_t events) {
  Nowhere deeds;
  NoJournal journal;
  store::MemoryStore states(groups);
  Shop* shop = nullptr;
  const durable::World world{plan, 1, journal, states, groups, deeds, [&] { return shop->now(); }};
  durable::Settings all = settings(std::uint64_t{64} << 30);
  all.checkpoints.tail = std::chrono::hours(1);
  auto writers = *durable::Writers::open(world, all);
  const auto everyone = everybody(customers);
  Shop first(plan, everyone), second(plan, who);
  shop = &first;
  writers->start(trouble);
  run(*writers, first, customers);
  shop = &second;
  second.next();
  run(*writers, second, events / 8);
  return run(*writers, second, events).events_per_second;
}

void print(const char* name, const Row& row) {
  std::printf(
      "%-18s %9.0f events/s  %.1f us of processor each  answer %.2f / %.2f / %.1f ms  commit %.3f "
      "/ %.3f / %.1f ms  "
      "of 1000 events %.0f customers read, %.0f made of bytes  "
      "%llu B/event (%.1f x JSON)  %llu checkpoints  recovery of %llu inputs %.2f s  peak %llu "
      "MiB\n",
      name, row.measured.events_per_second, row.cpu, row.measured.answer_p50,
      row.measured.answer_p99, row.measured.answer_max, row.commit_p50, row.commit_p99,
      row.commit_max, 1000 * row.loads, 1000 * row.decodings,
      static_cast<unsigned long long>(row.written),
      static_cast<double>(row.written) / static_cast<double>(json_bytes),
      static_cast<unsigned long long>(row.checkpoints),
      static_cast<unsigned long long>(row.recovered), row.recovery,
      static_cast<unsigned long long>(row.peak));
  std::fflush(stdout);
}

}  // namespace

int main(int count, char** given) {
  if (count < 2) {
    std::cerr << "koi-bench-durable FOLDER [CUSTOMERS [EVENTS [PART]]]\n";
    return 2;
  }
  const fs::path folder = given[1];
  const auto customers = static_cast<std::uint32_t>(count > 2 ? std::atoi(given[2]) : 1'000'000);
  const auto events = static_cast<std::size_t>(count > 3 ? std::atoll(given[3]) : 4'000'000);
  fs::create_directories(folder);
  const plan::Plan plan = bench::plan_of_rules();
  const auto zipf = bench::activity(customers, 0.99, 1u << 22);
  const auto uniform = bench::activity(customers, 0, 1u << 22);
  const auto durable = [&](const char* name, const std::vector<std::uint32_t>& who) {
    const Row row = measure_durable(folder / "data", plan, customers, who, events);
    print(name, row);
    fs::remove_all(folder / "data");
    return row;
  };
  const auto plain = [&](const char* name, const std::vector<std::uint32_t>& who) {
    const auto figures = apart([&] { return bench::plain(folder, customers, who, group_size, 8); });
    std::printf("plain layout, %-8s %9.0f events/s  %llu B/event\n", name,
                figures.events_per_second,
                static_cast<unsigned long long>(figures.written_per_event));
    return figures.events_per_second;
  };
  const auto memory_alone = [&] {
    const double rate = apart([&] { return measure_memory(plan, customers, zipf, events); });
    std::printf("memory alone, Zipf %9.0f events/s\n", rate);
    return rate;
  };
  if (count > 4) {
    const std::string part = given[4];
    if (part == "zipf") durable("durable, Zipf", zipf);
    if (part == "uniform") durable("durable, uniform", uniform);
    if (part == "memory") memory_alone();
    if (part == "plain") plain("Zipf", zipf);
    return 0;
  }

  // One beside the other, three times: this machine's speed can differ by a third between two runs.
  std::array<std::pair<double, Row>, 3> rounds;  // of memory alone
  for (auto& [of_memory, row] : rounds) {
    row = durable("durable, Zipf", zipf);
    of_memory = row.measured.events_per_second / memory_alone();
  }
  std::sort(rounds.begin(), rounds.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  const auto& [of_memory, on_zipf] = rounds[1];
  const Row on_any = durable("durable, uniform", uniform);
  const double plain_zipf = plain("Zipf", zipf), plain_any = plain("uniform", uniform);

  std::printf("\n| what | measured | wanted | reached |\n| --- | --- | --- | --- |\n");
  const auto at_least = [](const char* what, double is, double wanted) {
    std::printf("| %s | %.2f | at least %g | %s |\n", what, is, wanted,
                is >= wanted ? "yes" : "no");
  };
  const auto at_most = [](const char* what, double is, double wanted) {
    std::printf("| %s | %.2f | at most %g | %s |\n", what, is, wanted, is <= wanted ? "yes" : "no");
  };
  at_least("durable over the plain layout, Zipf", on_zipf.measured.events_per_second / plain_zipf,
           7);
  at_least("durable over the plain layout, any customer next",
           on_any.measured.events_per_second / plain_any, 4);
  at_least("durable over memory alone, Zipf, the middle one of three", of_memory, 0.7);
  at_most("commit, p99 over p50, Zipf", on_zipf.commit_p99 / on_zipf.commit_p50, 15);
  at_most("longest commit, ms, Zipf", on_zipf.commit_max, 60);
  at_most("bytes written over bytes of JSON, Zipf",
          static_cast<double>(on_zipf.written) / static_cast<double>(json_bytes), 6);
  at_most("recovery after a kill, s", std::max(on_zipf.recovery, on_any.recovery), 10);
  const std::size_t own = (zipf.size() + uniform.size() + customers) * sizeof(std::uint32_t);
  at_most("peak memory less the benchmark's own lists, MiB",
          static_cast<double>(std::max(on_zipf.peak, on_any.peak) - (own >> 20)),
          (budget >> 20) + 128.);
}
