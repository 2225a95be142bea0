// LineWriter: a thread for a connector that writes to where a write may block (a disk, a terminal).
// What has queued up meanwhile is written together, so that one sync serves many deliveries.
#pragma once

#include <asio/any_io_executor.hpp>
#include <asio/awaitable.hpp>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/hash.h"
#include "channel/connector.h"

namespace koi::channel {

struct Line {
  Hash128 key;
  std::string text;
};

class LineWriter {
 public:
  // Writes the lines in order and gives one outcome for each. Called on the writer's thread, never
  // twice at the same time. `stopping` turns true when the writer is to end: then it must not block
  // on.
  using Write = std::function<std::vector<Outcome>(std::span<const Line> lines,
                                                   const std::function<bool()>& stopping)>;

  LineWriter(asio::any_io_executor executor, Write write);
  // Ends the thread; who still waits gets no answer any more, so nobody may.
  ~LineWriter();

  // Completes on the executor. Cancelled, it ends at once: deferred if the line had not been begun,
  // else unknown.
  asio::awaitable<Outcome> write(Line line);

 private:
  struct Queue;
  std::shared_ptr<Queue> queue_;
};

}  // namespace koi::channel
