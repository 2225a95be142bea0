// The language server: LSP 3.17 over any pair of streams. Messages go in one after another, answers
// come out; nothing here reads, writes or waits.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/diagnostic.h"

namespace koi::lsp {

class Server {
 public:
  // `send` gets each message that is for the client, without its header.
  Server(Language language, std::string version, std::function<void(std::string)> send);
  ~Server();

  // Hands a message over; any bytes are accepted. It is answered by step(), so that a request that
  // is cancelled before its turn is never worked on.
  void take(std::string_view message);
  // A message could not be read at all; the client is told.
  void fault(std::string_view why);
  // Works on one message; false where there is none.
  bool step();
  // Says what is wrong with the programs that have changed since it was last said: of the file that
  // is being edited first, and with the next call, as long as there is news, of all others. To be
  // called when there is nothing else to do, a moment after the last change. False: the next call
  // goes over the whole program, which is better done when the author rests.
  bool tell_diagnostics();
  bool has_news() const;

  // The client has said `exit`; then with which status to end (0 where `shutdown` came before).
  std::optional<int> ended() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace koi::lsp
