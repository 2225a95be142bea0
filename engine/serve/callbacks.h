// Callbacks: what providers tell by themselves, to events and receipts. A callback is verified and
// read by its channel's connector; what it tells is durable and decided before the provider gets
// its answer, so that a refusal is honoured by the next decision.
#pragma once

#include <asio/any_io_executor.hpp>
#include <asio/awaitable.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/time.h"
#include "channel/connector.h"
#include "net/server.h"
#include "plan/plan.h"
#include "runtime/outbox.h"
#include "serve/door.h"

namespace koi::serve {

// An event as a line for the door. Whom it concerns is told by `kind`, the identifier that the
// channel reaches people by.
std::string line_of(const channel::Told& told, std::string_view kind, std::string_view channel);

// On the executor's thread.
class Callbacks {
 public:
  // Where lines of events go (Reception::take) and reports (Outbox::heard).
  using Take = std::function<void(std::string lines, const Door::Answer& answer)>;
  using Heard = std::function<bool(Hash128 key, Failure failure)>;
  struct Ways {
    Take take;
    Heard heard;
    std::function<void(channel::Level, std::string_view)> log;
  };

  // `plan` and what the ways lead to must outlive it.
  Callbacks(asio::any_io_executor executor, const plan::Plan& plan,
            std::vector<runtime::Lane> lanes, Ways ways);
  // What is under way is cancelled and comes to nothing.
  ~Callbacks();
  Callbacks(const Callbacks&) = delete;

  // A request to the callback address of that channel.
  void take(const std::string& channel, net::Asked asked, net::Reply reply);

  // From here on connectors look up by themselves what there is to tell.
  void begin_looking();
  // Cancels what is under way and waits for its end, some seconds at most.
  asio::awaitable<void> stop();

  struct Figures {
    std::uint64_t taken = 0;     // callbacks that were answered with success
    std::uint64_t refused = 0;   // others
    std::uint64_t events = 0;    // that are durable
    std::uint64_t rejected = 0;  // events that the rules do not declare, or not so
    std::uint64_t reports = 0;   // that ended a delivery
    std::uint64_t unknown_reports = 0;
  };
  const Figures& figures() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace koi::serve
