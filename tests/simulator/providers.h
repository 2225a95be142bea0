// Providers: whom the channels reach people through, as they truly are: each remembers what it
// delivered. Between them and the outbox are connectors that stall, hang up, refuse, name absurd
// times, and do not end when they are told to.
#pragma once

#include <asio/any_io_executor.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "chance.h"
#include "channel/connector.h"
#include "plan/plan.h"
#include "record.h"
#include "runtime/clock.h"
#include "runtime/outbox.h"

namespace koi::simulator {

// All that the providers know of one key.
struct Carried {
  std::size_t channel = 0;
  Delivery delivery;          // of the first attempt, but for its number
  Timestamp first;            // when
  std::uint32_t calls = 0;    // deliveries begun
  std::uint32_t effects = 0;  // how often the person got it
  bool waits = false;         // for the person to confirm …
  bool has_lapsed = false;    // … which he did not in time
  // By all that the outbox was told, a call may have come through.
  bool may_be_there = false;
  // The same by all that the outbox was told in time: it gives calls up that take too long.
  bool is_unclear = false;
  // Decided behind the cut of the backup that was restored: whoever decides the same again may have
  // another delivery under the key …
  bool is_lost = false;
  // … and where it was not due by itself when that was opened, does not know of this one.
  bool is_unknown = false;
};

class Providers {
 public:
  // One for each channel of the plan. What is referred to must outlive it.
  // `changes_keys`: a second attempt gets another key.
  Providers(Chance chance, const plan::Plan& plan, const runtime::Clock& clock, Record& record,
            bool changes_keys);
  ~Providers();

  // Lanes for one life of the process, on its executor.
  std::vector<runtime::Lane> lanes(asio::any_io_executor executor);
  // The process is gone: what was under way arrives or not, and nobody hears of it.
  void end_life();

  // The deployment was taken back to where it knew no other keys than these; and when it was opened
  // it knew no others than those.
  void lose_all_but(const std::set<Hash128>& known);
  void forget_lost_but(const std::set<Hash128>& known);

  // Called as a delivery is handed over to a connector.
  void on_delivery(std::function<void(const Delivery&)> heard) { heard_ = std::move(heard); }

  // Something happens to one of the calls under way; false where there is none.
  bool move();
  // From here on they take everything and answer at once.
  void behave() { behaves_ = true; }

  const std::map<Hash128, Carried>& carried() const { return carried_; }
  channel::Repeat repeat(std::size_t channel) const { return types_[channel].capabilities.repeat; }
  std::size_t under_way() const { return calls_.size(); }

 private:
  friend class PretendConnector;
  struct Call;
  void begin(const std::shared_ptr<Call>& call);
  void arrive(Call& call);
  void answer(Call& call, channel::Outcome outcome);
  void take(Call& call);
  // The call's end, as its connector sees it.
  void over(const std::shared_ptr<Call>& call);
  bool confirms(Call& call);
  Duration absurd_wait();
  Failure some_failure();

  Chance chance_;
  const plan::Plan& plan_;
  const runtime::Clock& clock_;
  Record& record_;
  std::vector<channel::ConnectorType> types_;  // by channel
  std::vector<std::uint32_t> moods_;           // percent that go well
  std::map<Hash128, Carried> carried_;
  std::vector<std::shared_ptr<Call>> calls_;
  std::function<void(const Delivery&)> heard_;
  std::uint64_t last_call_ = 0;
  bool changes_keys_, behaves_ = false, is_first_life_ = true;
};

}  // namespace koi::simulator
