// Letters: what a group of partitions tells the others. Those from one group to another are
// numbered, without gaps, and taken in that order, each once: a letter is on its way until whoever
// it is for has taken it into his journal, may be brought any number of times, and is brought again
// after every start. Part of what is decided: a replay writes the same letters under the same
// numbers. One thread's own.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "durable/input.h"
#include "durable/rows.h"
#include "plan/plan.h"
#include "store/groups.h"

namespace koi::durable {

struct Letter {
  store::Group from = 0, to = 0;
  std::uint64_t number = 0;  // from 1 on
  std::uint64_t rules = 0;   // names those under which it was written, and can be read
  std::string told;          // as write(Told) has it
  friend bool operator==(const Letter&, const Letter&) = default;
};

// As it comes in. Error "corrupt".
Result<LetterFrom> read(const Letter& letter, const plan::Plan& plan);

class Letters {
 public:
  // `rows` must outlive it.
  Letters(store::Group own, store::Groups groups, Rows& rows);

  // A row of the last checkpoint, where it is one of these; false: it is another's.
  Result<bool> learn(std::string_view key, std::string_view bytes);
  // For replays whose letters have arrived long ago: they are counted, and not kept; but those by
  // which customers go to another group, where that group's replay wants them.
  void keep_none() { keeps_ = Keeps::None; }
  void keep_arrivals() { keeps_ = Keeps::Arrivals; }

  void write(store::Group to, std::uint64_t rules, const Told& told);
  // Those written since the last call.
  std::vector<Letter> take_new() { return std::exchange(new_, {}); }
  // Those on their way to that group, by number.
  const std::deque<Letter>& open(store::Group to) const { return to_[to].open; }
  // The last one written to it.
  std::uint64_t last(store::Group to) const { return to_[to].last; }
  // It has taken all up to that number.
  void arrived(store::Group to, std::uint64_t up_to);

  // Of letters that come in: is it the next one? It counts as taken then. Of those before, one is
  // here already; of those behind it the next one is still to come.
  bool takes(store::Group from, std::uint64_t number);
  std::uint64_t taken(store::Group from) const { return from_[from]; }

 private:
  struct To {
    std::uint64_t last = 0;
    std::deque<Letter> open;
  };
  store::Group own_;
  Rows& rows_;
  enum class Keeps : std::uint8_t { All, Arrivals, None };
  Keeps keeps_ = Keeps::All;
  std::vector<To> to_;
  std::vector<std::uint64_t> from_;
  std::vector<Letter> new_;
};

}  // namespace koi::durable
