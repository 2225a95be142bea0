// Notebook: what a connector must know again after a restart, such as which deliveries the message
// of a provider's number was. Texts by name, each for a time.
#pragma once

#include <asio/awaitable.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace koi::channel {

struct Note {
  std::string name, text;
  Timestamp until;  // it is worth nothing from then on; ever: it is to be forgotten
  friend bool operator==(const Note&, const Note&) = default;
};

// One connector's. It may hold what is personal, and is never printed. One thread, but for what
// `keep_with` is given.
class Notebook {
 public:
  static constexpr std::size_t most_bytes = std::size_t{64} << 20;

  // The notes that are there from before; of those that are over, none.
  explicit Notebook(std::function<Timestamp()> now, std::vector<Note> notes = {});
  Notebook(const Notebook&) = delete;

  // How notes become durable: in the order of the calls, each of which calls `then` once, on any
  // thread, when it is done. Without it they are as lasting as this process.
  using KeepWith = std::function<void(Note note, std::function<void(Result<void>)> then)>;
  void keep_with(KeepWith keep_with);

  // Keeps a note in place of the one of its name. It is found at once; when this returns it is
  // durable, or the error says why not. Beyond `most_bytes` those that are over first go first.
  asio::awaitable<Result<void>> keep(Note note);
  // Its text, until it is over; valid until the notebook is changed.
  const std::string* find(const std::string& name) const;
  void forget(const std::string& name);
  std::vector<Note> all() const;  // by name

 private:
  void put(Note note);
  void drop(const std::string& name);
  static std::size_t size_of(const Note& note);

  std::function<Timestamp()> now_;
  KeepWith keep_with_;
  std::map<std::string, Note> notes_;
  std::set<std::pair<Timestamp, std::string>> by_end_;
  std::size_t bytes_ = 0;
};

}  // namespace koi::channel
