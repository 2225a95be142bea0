// A shop in a box whose postings are kept: what happens there on one day, and what its books say.
// They balance at the end of every test, and no budget is passed.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <string_view>

#include "event.h"
#include "program.h"
#include "sim/world.h"

namespace koi {

// On the day of all tests, as clocks in Shanghai show it.
inline Timestamp that_day_at(std::string_view time) {
  return at("2026-03-02T" + std::string(time));
}

class Shop : public testing::Test {
 public:
  explicit Shop(const std::string& rules)
      : plan_(plan_of(rules)), index_(match::Index::build(plan_)), world_(plan_, &index_) {
    world_.accounts().keep_postings();
  }
  ~Shop() override {
    EXPECT_TRUE(ledger::verify(world_.accounts().postings(), world_.accounts().ledger().pots()));
    for (const plan::Budget& budget : plan_.budgets)
      for (const auto& [pot, balances] : world_.accounts().ledger().pots())
        if (pot.of == budget.definition && budget.amount != plan::unlimited) {
          EXPECT_LE(balances.out(), budget.amount) << budget.name;
        }
  }

  void happen(std::string_view type, std::string_view time, const std::string& customer,
              const std::map<std::string, Value>& fields = {}) {
    world_.happen(
        event(plan_, "e" + std::to_string(++events_), type, that_day_at(time), customer, fields));
  }

 protected:
  plan::Plan plan_;
  match::Index index_;
  sim::World world_;
  int events_ = 0;
};

}  // namespace koi
