// Allowance: how many a provider takes of one account, as the connector's type declares it
// (Capabilities::amounts, Form::amounts), and how many it has had. Shared by all channels that
// share the connector. What counts for a day is kept in a notebook ahead of its being used, so that
// no restart gives more than the day has; it may give a little less.
#pragma once

#include <asio/any_io_executor.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/time.h"
#include "channel/connector.h"
#include "channel/notebook.h"

namespace koi::channel {

class Allowance {
 public:
  struct Ground {
    asio::any_io_executor executor;
    std::function<Timestamp()> now;
    const Zone* zone = nullptr;  // of the rules, for types that name none
    Notebook* notes = nullptr;   // nobody else's; null: a restart forgets
  };
  // What the operator knows better than the connector's type.
  struct Said {
    bool rate = false;          // how many a second is held elsewhere
    std::uint64_t per_day = 0;  // messages, of all forms together; 0: as the type declares
  };
  Allowance(const Capabilities& capabilities, Said said, Ground ground);
  ~Allowance();

  // Whether it counts by the day, and so wants a notebook.
  static bool counts_days(const Capabilities& capabilities, Said said);

  // How many messages one request by that form may carry at `now`, of so many (one or more) that
  // wait. 0: none before `from`, when to ask again.
  struct Room {
    std::uint64_t messages = 0;
    Timestamp from = Timestamp::ever();
    bool is_of_day = false;  // 0 because the day's are used up
  };
  Room room(const Form& form, std::uint64_t wanted, Timestamp now);
  // One request with so many messages goes out.
  void take(const Form& form, std::uint64_t messages, Timestamp now);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace koi::channel
