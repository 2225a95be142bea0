// Notes: what connectors keep for their next life, by channel and name (channel/notebook.h). One
// SQLite file of a data directory.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "store/directory.h"

namespace koi::store {

struct Note {
  std::string channel, name, text;
  Timestamp until;  // worth nothing from then on; ever: it goes
  friend bool operator==(const Note&, const Note&) = default;
};

// Thread-safe.
class Notes {
 public:
  // Opens the directory's file or makes it; drops what is over by `now`. Errors as
  // Identifiers::open.
  static Result<std::unique_ptr<Notes>> open(const Directory& directory, Timestamp now);
  // Writes what is still to be written.
  ~Notes();

  // Those of a channel, by name.
  Result<std::vector<Note>> of(const std::string& channel) const;

  // Puts it in place of the one of its channel and name, after those of earlier calls; what comes
  // together is one commit. `then` is called once, on a thread of this object's: when it is
  // durable, or why it is not. It must not wait for another one.
  void put(Note note, std::function<void(Result<void>)> then);
  // Returns when each `then` of earlier calls has been called.
  void settle();

 private:
  class Impl;
  explicit Notes(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace koi::store
