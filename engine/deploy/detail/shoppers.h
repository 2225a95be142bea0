// Shoppers: for this module's tests, what customers of the trial shop do, at random, and metrics of
// every sort over it.
#pragma once

#include <functional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "deploy/detail/trial.h"

namespace koi::deploy {

// Metrics of every sort, over events from outside and the engine's own.
inline const std::string more_metrics = R"(
metric spent = sum order.amount
metric middle = average order.amount where level == mid or level == high
metric cheapest = min order.amount where amount > ¥2.00
metric dearest = max order.amount
metric first_sku = first order.sku
metric last_level = last order.level
metric levels = distinct order.level
metric days = streak of days with order
metric week = sum order.amount over 7 days
metric today = count order this day
metric views = count view where sku in ["a", "b"] over 2 days
metric got = count delivered
metric lost = count failed over 3 days
metric came = count entered where campaign == "thank"
)";

// A random history: batches at instants that only grow, in them events of some customers, and
// receipts.
class Shoppers {
 public:
  // What one of them does, as of now.
  using Does = std::function<Told(Shoppers&, Timestamp now)>;
  Shoppers(std::uint64_t seed, Does does) : chance_(seed), does_(std::move(does)) {}
  explicit Shoppers(std::uint64_t seed)
      : Shoppers(seed, [](Shoppers& one, Timestamp now) { return one.event(now); }) {}

  void live(Shop& place, Life& life, int batches) {
    for (int i = 0; i < batches; ++i) {
      place.now = place.now + minutes(static_cast<std::int64_t>(below(200)));
      if (below(4) == 0) {
        life.answer(below(3) == 0 ? Failure::Unreachable : Failure::None);
        continue;
      }
      std::vector<Told> events;
      for (std::uint64_t n = below(6); n > 0; --n) events.push_back(does_(*this, place.now));
      life.take(events);
    }
  }

  std::uint64_t below(std::uint64_t bound) { return chance_() % bound; }

 private:
  // Any of the shop's: some again under an id that was there before, some late, some too late.
  Told event(Timestamp now) {
    Told told;
    if (!told_.empty() && below(6) == 0) {
      told = told_[below(told_.size())];
      if (below(2) == 0) return told;  // exactly as it was
      told.time = now;
      return told;
    }
    told.id = "e" + std::to_string(told_.size());
    told.customer = "c" + std::to_string(below(12));
    told.time = now - minutes(static_cast<std::int64_t>(below(3) == 0 ? below(150) : below(5)));
    const auto level = Value::enumerator(static_cast<std::uint32_t>(below(3)));
    switch (below(5)) {
      case 0:
        told.type = "register";
        told.fields = {{"city", Value::text(below(2) == 0 ? "Beijing" : "Turpan")},
                       {"zone", Value::text(below(2) == 0 ? "America/New_York" : "Asia/Tokyo")},
                       {"level", level}};
        break;
      case 1:
        told.type = "view";
        told.fields = {{"sku", Value::text(std::string(1, static_cast<char>('a' + below(3))))}};
        break;
      default:
        told.type = "order";
        told.fields = {{"amount", Value::money(static_cast<std::int64_t>(below(1000)))}};
        if (below(2) == 0) told.fields["sku"] = Value::text("sku " + std::to_string(below(5)));
        if (below(2) == 0) told.fields["level"] = level;
    }
    told_.push_back(told);
    return told;
  }

  std::mt19937_64 chance_;
  Does does_;
  std::vector<Told> told_;
};

}  // namespace koi::deploy
