// The HTTP server: bytes to messages and back, on one io_context that one thread runs. What is
// asked and what is answered is the handler's business.
#pragma once

#include <asio/awaitable.hpp>
#include <asio/io_context.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"
#include "net/message.h"

namespace koi::net {

struct ServerSettings {
  std::string address = "127.0.0.1";  // of IPv4 or IPv6
  std::uint16_t port = 0;             // 0: any that is free
  std::size_t max_body = std::size_t{8}
                         << 20;        // more is answered with 413 (far more is hung up on)
  std::size_t max_connections = 1024;  // more wait to be accepted
  Duration read_within = seconds(20);  // a whole request, from its first byte or the last
                                       // answer on; also how long a connection may idle
  Duration write_within = seconds(20);
  Duration answer_within = seconds(60);  // the handler; later the connection is closed
};

struct Asked {
  std::string method;  // "GET", …
  std::string path;    // percent-decoded; begins with /
  std::string query;   // as it came, without the ?
  Headers headers;
  std::string body;
};

struct Answer {
  int status = 200;
  std::string body;
  std::string content_type = "application/json";
  Headers headers;
};

// The place of one answer. It may be used later and on any thread, once. If it is let go unused,
// the answer is 500.
class Reply {
 public:
  struct Place;
  explicit Reply(std::unique_ptr<Place> place);
  Reply(Reply&&) noexcept;
  Reply& operator=(Reply&&) noexcept;
  ~Reply();

  void send(Answer answer);

 private:
  std::unique_ptr<Place> place_;
};

// Called on the thread that runs the io_context.
using Handler = std::function<void(Asked asked, Reply reply)>;

// The values of a query by name, percent-decoded: "a=1&b=%20" has a and b.
Headers query_of(std::string_view query);

class Server {
 public:
  // Errors: "port_in_use", "address" (not one of this machine), "privileged", "listen".
  static asio::awaitable<Result<std::unique_ptr<Server>>> open(asio::io_context& context,
                                                               ServerSettings settings,
                                                               Handler handler);
  // Closes the door, on the thread that runs the io_context or after it has stopped.
  ~Server();

  std::uint16_t port() const;

  // Takes no more connections; requests on those there are get 503. Completes when every request
  // taken before is answered, or after `within`; false where some are not.
  asio::awaitable<bool> stop(Duration within);

 private:
  friend struct Reply::Place;
  struct State;
  struct Door;
  Server(std::shared_ptr<State> state, std::unique_ptr<Door> door);
  std::shared_ptr<State> state_;
  std::unique_ptr<Door> door_;
};

}  // namespace koi::net
