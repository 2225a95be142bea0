// A program that is kept running, and is asked and answers in lines. It is started when there is
// something to ask, and again when it has died, after a wait that doubles while it answers nothing.
// One thread, that of the executor.
#pragma once

#include <asio/any_io_executor.hpp>
#include <asio/awaitable.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "channel/connector.h"

namespace koi::connectors {

class Program {
 public:
  struct Settings {
    std::string command;  // for /bin/sh
    std::string folder;   // where it runs; empty: where we do
    Duration answer_within;
    Duration stop_within;  // after its input was closed
  };

  Program(Settings settings, channel::Tools tools);
  // Closes its input, waits for its end, and kills it and what it started where it does not.
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  // Makes the line of a request of that number.
  using LineOf = std::function<std::string(std::uint64_t id)>;

  // Asks and awaits the answer. Deferred, where the program surely has not read the line; Unknown
  // where no answer came. `line_of` is called before anything is awaited.
  asio::awaitable<channel::Outcome> ask(const LineOf& line_of);

  // The same of a request that is answered with what somebody told; nothing where none came.
  asio::awaitable<std::optional<channel::Received>> hear(const LineOf& line_of);

  // A line that wants no answer; lost where the program does not run.
  void note(const std::string& line);

 private:
  struct Child;
  class Keeper;
  std::shared_ptr<Keeper> keeper_;
};

}  // namespace koi::connectors
