// Gather: like messages put together for a short while, so that one request carries them all.
// Whoever waits gets the outcome of his own; cancelled, he goes at once. One thread, that of the
// executor.
#pragma once

#include <asio/any_io_executor.hpp>
#include <asio/awaitable.hpp>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/hash.h"
#include "base/time.h"
#include "channel/connector.h"

namespace koi::connectors {

class Gather {
 public:
  struct Member {
    std::string person;
    Hash128 key;
  };
  // Sends one message to all members, each of them once, and gives the outcomes in their order. It
  // outlives the caller who was first, and ends when the Gather does.
  using Send = std::function<asio::awaitable<std::vector<channel::Outcome>>(
      std::string message, std::vector<Member> members)>;

  Gather(asio::any_io_executor executor, Duration within, std::size_t most, Send send);
  ~Gather();  // who waits gets Unknown
  Gather(const Gather&) = delete;

  asio::awaitable<channel::Outcome> add(std::string message, Member member);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace koi::connectors
