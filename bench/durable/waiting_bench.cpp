// Waiting: so many customers, each in one journey that waits for its timer, and the memory that
// takes. States of whom nothing is heard are on the disk; so are their timers.
//
//   koi-bench-waiting FOLDER [JOURNEYS] [STATE BUDGET IN MIB]

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <mutex>
#include <thread>

#include "../rules.h"
#include "activity.h"
#include "durable/writers.h"
#include "store/sqlite_journal.h"
#include "store/sqlite_store.h"

namespace koi {
namespace {

namespace fs = std::filesystem;
using Seconds = std::chrono::duration<double>;

constexpr std::size_t in_group = 1000;
constexpr std::size_t most_open = 16;  // requests under way
constexpr store::Groups groups{2};
constexpr Timestamp begin{1'772'445'600'000'000};  // 2026-03-02

class Counting final : public durable::Deeds {
 public:
  void take(store::Group, std::vector<durable::Deed> deeds) override { taken += deeds.size(); }
  std::string freeze(store::Group) override { return {}; }
  Result<void> thaw(store::Group, std::string_view) override { return {}; }
  std::atomic<std::uint64_t> taken = 0;
};

int measure(const fs::path& folder, std::uint64_t journeys, std::uint64_t budget_mib) {
  fs::remove_all(folder);
  const plan::Plan plan = bench::plan_of_rules();
  const std::uint64_t before = bench::peak_mib();
  const auto directory = *store::Directory::open(folder);
  const auto journal = *store::SqliteJournal::open(directory, groups);
  const auto states = *store::SqliteStore::open(directory, groups);
  Counting deeds;
  std::atomic<std::int64_t> now = begin.us;
  durable::Settings settings;
  settings.budget = budget_mib << 20;
  const auto writers = *durable::Writers::open(
      {plan, 1, *journal, *states, groups, deeds, [&] { return Timestamp{now.load()}; }}, settings);
  writers->start([](const Error& error) { std::cerr << error.what << "\n"; });

  std::mutex mutex;
  std::condition_variable changed;
  std::size_t open = 0;
  const auto started = std::chrono::steady_clock::now();
  for (std::uint64_t next = 0; next < journeys;) {
    std::vector<durable::Given> inputs;
    for (std::size_t i = 0; i < in_group && next < journeys; ++i, ++next) {
      Event event;
      event.id = "e" + std::to_string(next);
      event.type = plan.schema.find_event("add_to_cart");
      event.time = {now.load()};
      event.customer = "c" + std::to_string(next);
      event.fields = {Value::text("sku" + std::to_string(next % 9999)), Value::money(990)};
      inputs.emplace_back(std::move(event));
      now += 10;  // all come in less than the half hour that each of them waits
    }
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return open < most_open; });
    ++open;
    lock.unlock();
    const auto done = [&](const auto& result) {
      if (!result) std::cerr << result.error().what << "\n", std::exit(2);
      const std::lock_guard guard(mutex);
      --open;
      changed.notify_one();
    };
    while (!writers->submit(std::move(inputs), done))
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  std::unique_lock lock(mutex);
  changed.wait(lock, [&] { return open == 0; });
  lock.unlock();
  const double taking = Seconds(std::chrono::steady_clock::now() - started).count();
  const std::uint64_t entered = deeds.taken, peak = bench::peak_mib();

  // The first tenth of them is due.
  now = begin.us + minutes(30).us + static_cast<std::int64_t>(journeys);
  const auto due = std::chrono::steady_clock::now();
  while (deeds.taken < entered + journeys / 10 &&
         std::chrono::steady_clock::now() - due < std::chrono::minutes(5))
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  const double firing = Seconds(std::chrono::steady_clock::now() - due).count();
  const std::uint64_t peak_fired = bench::peak_mib();
  const std::uint64_t fired = deeds.taken - entered;
  if (!writers->stop()) return 2;

  const std::uint64_t over = peak_fired - std::min(peak_fired, before + budget_mib);
  std::printf("| waiting journeys | %llu |\n| --- | --- |\n",
              static_cast<unsigned long long>(journeys));
  std::printf("| taken in, events/s | %.0f |\n", static_cast<double>(journeys) / taking);
  std::printf("| fired when due, timers/s | %.0f |\n", static_cast<double>(fired) / firing);
  std::printf("| peak memory, MiB, while they came and while they fired | %llu, %llu |\n",
              static_cast<unsigned long long>(peak), static_cast<unsigned long long>(peak_fired));
  std::printf("\n| what | measured | wanted | reached |\n| --- | --- | --- | --- |\n");
  std::printf("| memory over the state budget of %llu MiB | %llu MiB | at most 128 MiB | %s |\n",
              static_cast<unsigned long long>(budget_mib), static_cast<unsigned long long>(over),
              over <= 128 ? "yes" : "no");
  return 0;
}

}  // namespace
}  // namespace koi

int main(int count, char** arguments) {
  if (count < 2) {
    std::fprintf(stderr, "koi-bench-waiting FOLDER [JOURNEYS] [STATE BUDGET IN MIB]\n");
    return 2;
  }
  const auto number = [&](int at, std::uint64_t otherwise) {
    return count > at ? std::strtoull(arguments[at], nullptr, 10) : otherwise;
  };
  return koi::measure(arguments[1], number(2, 10'000'000), number(3, 256));
}
