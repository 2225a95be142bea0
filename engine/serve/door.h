// Door: events as they come in by HTTP, to inputs that are durable. Takes what a request carries
// apart, decodes and resolves each event, hands the good ones to the writers, and says of each line
// what became of it, when it is safe.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "durable/writers.h"
#include "plan/plan.h"
#include "runtime/decode.h"
#include "runtime/directory.h"
#include "runtime/entry.h"
#include "serve/announcements.h"
#include "serve/deliveries.h"
#include "serve/links.h"
#include "serve/places.h"

namespace koi::serve {

enum class Came : std::uint8_t {
  Accepted,     // durable and decided
  Duplicate,    // its id was seen before: nothing was changed
  TooLate,      // older than the rules allow: recorded, applied to nothing
  UnknownType,  // the rules declare no such event: not kept
  Rejected,     // no good event: not kept
};
std::string_view name_of(Came came);  // "accepted", "duplicate", …

struct LineResult {
  Came came = Came::Rejected;
  std::string reason;  // of UnknownType and Rejected: a sentence with the remedy
};

// The events of a request: one object, an array of them, or a line each. Broken pieces are pieces
// too: decoding them says what is wrong.
std::vector<std::string_view> events_of(std::string_view body, bool is_lines);

constexpr std::size_t most_events = 10'000;  // of one request

// One thread's own.
class Door {
 public:
  // All must outlive it. `deliveries` tells it who has turned out to be another.
  Door(const plan::Plan& plan, StoredLinks& links, durable::Writers& writers, Places& places,
       Deliveries& deliveries);

  // Who takes events to everyone; without, there are none. It must outlive the door.
  void announce_with(Announcements& announcements) { announcements_ = &announcements; }

  // Results in the order of the events, which are taken in in that order too. Errors: "too_many"
  // (of one request), "busy" (again later), and whatever stops the writers. Called once, on any
  // thread; what is rejected is not kept whatever is answered for the others.
  using Answer = std::function<void(Result<std::vector<LineResult>>)>;
  void take(std::string_view body, bool is_lines, const Answer& answer);

  // The customer that `kind:value` or an id stands for; whom nobody knows yet has the id
  // `kind:value`.
  Result<std::string> customer_of(std::string_view subject);

  // Since the start; thread-safe.
  struct Figures {
    std::atomic<std::uint64_t> accepted = 0, duplicate = 0, too_late = 0, unknown_type = 0,
                               rejected = 0, busy = 0, conflicts = 0;
  };
  const Figures& figures() const { return *figures_; }

 private:
  void learn_merged();

  const plan::Plan& plan_;
  StoredLinks& links_;
  durable::Writers& writers_;
  Places& places_;
  Deliveries& deliveries_;
  const bool moves_;  // customers of one group may turn out to be those of another
  Announcements* announcements_ = nullptr;
  runtime::Decoder decoder_;
  runtime::EntryReader reader_;
  runtime::Directory directory_;
  runtime::Incoming incoming_;
  std::deque<std::string> led_;       // whom the directory leads on, the first one first
  std::shared_ptr<Figures> figures_;  // answers outlive the door
};

}  // namespace koi::serve
