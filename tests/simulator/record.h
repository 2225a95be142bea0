// Record: what happened in a simulation, line by line, as a hash that is the same for the same
// seed; and the first promise that was seen broken.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/hash.h"

namespace koi::simulator {

class Record {
 public:
  // Everything that is said is printed there too.
  explicit Record(std::function<void(std::string_view)> print = {}) : print_(std::move(print)) {}

  void say(std::string_view line) {
    hash_ = hash64(line, hash_);
    if (print_) print_(line);
  }
  // A promise is broken. The first one counts.
  void breach(std::string what) {
    if (breach_) return;
    say("BROKEN: " + what);
    breach_ = std::move(what);
  }
  const std::optional<std::string>& broken() const { return breach_; }
  std::uint64_t hash() const { return hash_; }

 private:
  std::function<void(std::string_view)> print_;
  std::uint64_t hash_ = 0;
  std::optional<std::string> breach_;
};

}  // namespace koi::simulator
