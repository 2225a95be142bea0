// Victim: for tests of kills, a child process that tells where it is by marks in a pipe. A kill
// that waits for a mark meets what it is meant to meet, on a fast machine and on a slow one.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <csignal>
#include <filesystem>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <thread>

#include "base/assert.h"
#include "base/hash.h"

namespace koi {

// What it has written to that file: keys, one behind the other, and maybe half of one.
inline std::set<Hash128> keys_in(const std::filesystem::path& path) {
  std::set<Hash128> keys;
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  Hash128 key;
  while (::read(file, &key, sizeof key) == sizeof key) keys.insert(key);
  ::close(file);
  return keys;
}

class Victim {
 public:
  // `live(int)` is what the child does, until it is killed; it tells by bytes in that file.
  template <class Live>
  explicit Victim(Live live) {
    std::array<int, 2> ends{};
    KOI_ASSERT(::pipe(ends.data()) == 0);
    child_ = ::fork();
    KOI_ASSERT(child_ >= 0);
    if (child_ == 0) {
      ::close(ends[0]);
      live(ends[1]);
      ::_exit(9);
    }
    ::close(ends[1]);
    told_ = ends[0];
  }
  Victim(const Victim&) = delete;
  ~Victim() {
    if (child_ > 0) kill();
    ::close(told_);
  }

  // Waits until it has told this mark so many times; false where it ended before, or is silent for
  // longer than anything takes.
  bool has_told(char mark, std::ptrdiff_t times = 1) {
    while (std::count(marks_.begin(), marks_.end(), mark) < times)
      if (!read(std::chrono::minutes(2))) return false;
    return true;
  }

  // True where it lived up to here.
  bool kill() {
    ::kill(child_, SIGKILL);
    int status = 0;
    const bool ended = ::waitpid(child_, &status, 0) == child_;
    child_ = 0;
    while (read(std::chrono::minutes(2))) {
    }
    return ended && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
  }

  // All that it has told, once it is killed.
  std::string_view marks() const { return marks_; }

  static void tell(int file, char mark) {
    if (::write(file, &mark, 1) != 1) ::_exit(2);
  }

 private:
  bool read(std::chrono::milliseconds within) {
    pollfd wanted{told_, POLLIN, 0};
    if (::poll(&wanted, 1, static_cast<int>(within.count())) <= 0) return false;
    std::array<char, 4096> bytes{};
    const ssize_t count = ::read(told_, bytes.data(), bytes.size());
    if (count <= 0) return false;
    marks_.append(bytes.data(), static_cast<std::size_t>(count));
    return true;
  }

  pid_t child_ = 0;
  int told_ = -1;
  std::string marks_;
};

// Sleeps for some time from 0.1 to 200 ms: as likely below 1 ms as between 20 and 200.
inline void sleep_some_while(std::mt19937_64& chance) {
  std::uniform_real_distribution<double> log(std::log(100.0), std::log(200'000.0));
  std::this_thread::sleep_for(
      std::chrono::microseconds(static_cast<std::int64_t>(std::exp(log(chance)))));
}

}  // namespace koi
