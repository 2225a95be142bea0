// Engine: rules at work on data: the writers, the deliveries that follow from what they decide,
// the outbox that carries them out, and the door. Everything that the network is not; the server
// and the simulator stand on it.
#pragma once

#include <asio/any_io_executor.hpp>
#include <filesystem>
#include <functional>
#include <memory>
#include <vector>

#include "base/result.h"
#include "durable/writers.h"
#include "plan/plan.h"
#include "runtime/clock.h"
#include "runtime/outbox.h"
#include "serve/announcements.h"
#include "serve/deliveries.h"
#include "serve/door.h"
#include "serve/links.h"
#include "serve/places.h"
#include "serve/ranks.h"
#include "store/identifiers.h"
#include "store/journal.h"
#include "store/store.h"

namespace koi::serve {

struct Settings {
  durable::Settings writers;
  runtime::OutboxSettings outbox;
  bool keeps_sent = false;  // as Deliveries
};

// What a engine stands on. All that is referred to must outlive it.
struct Ground {
  const plan::Plan& plan;
  std::uint64_t rules;  // names the program that `plan` is
  store::Journal& journal;
  store::Store& store;
  store::Groups groups;
  store::Identifiers& identifiers;
  const runtime::Clock& clock;           // read on several threads
  asio::any_io_executor executor;        // of the one thread on which the outbox and connectors run
  std::vector<runtime::Lane> lanes;      // one for each channel of the plan
  runtime::Outbox::Say say;              // the outbox's words
  durable::CrashWatch* watch = nullptr;  // none: what crashes does so again
  std::filesystem::path
      announcements{};            // where events to everyone are kept; empty: none are taken
  std::filesystem::path ranks{};  // what is kept of refreshed tiers; empty: none are refreshed
  Timestamp since{};              // the rules are live since then
  std::function<bool(const durable::Letter&)> carry{};  // as durable::World
};

class Engine {
 public:
  // Recovers what was decided since the last stop; nothing is sent yet. Errors are those of
  // Writers::open.
  static Result<std::unique_ptr<Engine>> open(Ground ground, Settings settings);
  // Without a stop() before it, it is as if the process had died here. On the executor's thread, or
  // when nobody runs it any more.
  ~Engine();

  // Decides what is due by now, and records of each delivery that is open then that it may have
  // been attempted: where another process may have gone on from the same states. Before
  // begin_sending() and start().
  Result<void> suspect_open();
  // Takes up the deliveries that are open and lets new ones go. On the executor's thread.
  Result<void> begin_sending();

  // Starts the writers' threads; without it, they are driven by hand (durable::Writers).
  void start(std::function<void(const Error&)> trouble);
  // Closes the door to events, decides what is inside, and writes it back. The outbox should have
  // been drained before. Blocks; never on the executor's thread.
  Result<void> stop();
  // What is left of the writers after stop(), for who lets go of it when there is time: a million
  // customers in memory take a while. Nothing else of this may be used any more.
  std::unique_ptr<durable::Writers> give_writers() { return std::move(writers_); }

  // True where so much waits to be delivered that no more events should come; what a provider has
  // and will report on does not wait.
  bool is_full() const {
    const std::size_t pending = outbox_ ? outbox_->pending() : 0;
    return deliveries_.open() >= settings_.outbox.capacity + pending;
  }

  Door& door() { return *door_; }  // one thread's
  Places& places() { return *places_; }
  durable::Writers& writers() { return *writers_; }
  Deliveries& deliveries() { return deliveries_; }
  // Without start() to be driven by hand; null where no tiers are refreshed.
  Ranks* ranks() { return ranks_.get(); }
  runtime::Outbox& outbox() { return *outbox_; }  // the executor's thread's

 private:
  Engine(Ground ground, Settings settings);
  Result<void> work_off();

  Ground ground_;
  Settings settings_;
  Deliveries deliveries_;
  StoredLinks links_;
  std::unique_ptr<durable::Writers> writers_;
  std::unique_ptr<Places> places_;
  std::unique_ptr<Announcements> announcements_;
  std::unique_ptr<Ranks> ranks_;
  std::unique_ptr<Door> door_;
  std::shared_ptr<runtime::Outbox> outbox_;
};

}  // namespace koi::serve
