// Codes: what people scan to come to a channel. For connectors whose provider makes them.
#pragma once

#include <asio/awaitable.hpp>
#include <optional>
#include <string>

#include "base/result.h"
#include "base/time.h"

namespace koi::channel {

struct CodeWanted {
  std::string scene;              // what `scan` and `follow` then say that it was
  std::optional<Duration> lasts;  // none: for good
};

// What Connector::codes() gives, by those that can.
class MakesCodes {
 public:
  virtual ~MakesCodes() = default;

  // The address of a picture of such a code. Error "code": why there is none.
  virtual asio::awaitable<Result<std::string>> code(CodeWanted wanted) = 0;
};

}  // namespace koi::channel
