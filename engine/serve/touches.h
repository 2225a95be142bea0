// Touches: what people do with a message that went out: they follow its link, they look at it, they
// leave by it; the staff takes what it was told. Each message gets short signed addresses of this
// deployment; whoever comes by one is led to the address that the content declared and nowhere
// else, and an event says so. Programs that look at links before people do are counted apart and
// make no event.
#pragma once

#include <asio/any_io_executor.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"
#include "model/delivery.h"
#include "net/server.h"
#include "runtime/clock.h"
#include "serve/door.h"
#include "store/sent.h"

namespace koi::serve {

// The addresses of messages.
class MessageLinks {
 public:
  // `base` is the public address, http(s)://host[/path], without a slash at its end; `secret` is
  // what addresses are signed with.
  MessageLinks(std::string base, std::string secret);

  // Puts this deployment's addresses into a delivery on its way out: in place of its link, where
  // that is of the web; to look at; to leave by. Into what the staff is told and is to take: as its
  // link, where that is said. Into others of the staff's, and calls, none.
  void dress(Delivery& delivery, Timestamp decided) const;

  // 27 letters that name a message and nobody can make up.
  std::string token_of(store::SentName name) const;
  // Nothing where it is none of ours.
  std::optional<store::SentName> read(std::string_view token) const;

 private:
  std::string base_, secret_;
};

// Who asks, as far as he says.
enum class Visitor : std::uint8_t {
  Person,
  Preview,  // HEAD, a program that prefetches, or one known to draw previews
  Scanner,  // sooner after the message than a person could be
};
Visitor visitor_of(const net::Asked& asked, Timestamp decided, Timestamp now);

// An address as the value of a header: what does not belong there is percent-encoded.
std::string as_location(std::string_view link);

// On the executor's thread.
class Touches {
 public:
  struct Ways {
    std::function<void(std::function<void()>)> later;  // off this thread (Reception::later)
    std::function<Result<std::optional<store::SentMessage>>(store::SentName)> find;
    std::function<void(std::string lines, const Door::Answer&)> take;  // Reception::take
    // Somebody on the staff has taken it (Outbox::heard); false where it is over already.
    std::function<bool(Hash128 key, std::string by)> taken;
  };
  // Both and what the ways lead to must outlive it.
  Touches(asio::any_io_executor executor, const MessageLinks& links, const runtime::Clock& clock,
          Ways ways);
  ~Touches();
  Touches(const Touches&) = delete;

  // True where the address is of /l/, /o/, /u/ or /t/, and then it is answered.
  static bool is_of(const net::Asked& asked);
  void take(net::Asked asked, net::Reply reply);

  struct Figures {
    std::uint64_t clicks = 0, opens = 0, unsubscribes = 0;  // by people; events
    std::uint64_t taken = 0;                                // by the staff
    std::uint64_t previews = 0, scanners = 0;               // of links and marks
    std::uint64_t unknown = 0;                              // tokens that are none, or too old
    std::uint64_t lost = 0;                                 // visits whose event could not be kept
  };
  const Figures& figures() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace koi::serve
