// The HTTP client: libcurl's multi interface, driven by an Asio executor. Connections are kept and
// used again; TLS is 1.2 or newer; redirects are not followed; proxies come from the settings,
// never from the environment. A client belongs to the one thread that runs its executor.
#pragma once

#include <asio/any_io_executor.hpp>
#include <asio/awaitable.hpp>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "base/time.h"
#include "net/message.h"

namespace koi::net {

struct ClientSettings {
  std::string proxy;    // "http://host:port", "socks5h://host:port"; empty: none
  std::string ca_file;  // PEM of the authorities to trust; empty: the system's
  std::size_t max_connections = 1024;
};

struct Request {
  std::string method = "GET";
  std::string url;  // http:// or https://
  Headers headers;
  std::string body;
  Duration connect_within = seconds(5);
  Duration answer_within = seconds(20);  // the whole exchange, connecting included
  std::size_t max_body = std::size_t{1} << 20;
  // A kept connection may die just when a request is written to it; it is then sent once more on a
  // new one, though the first may have arrived. Where that must not be, `once` uses a new
  // connection.
  bool once = false;
  std::string certificate_file, key_file;  // PEM; for providers that want to know us by TLS
};

struct Response {
  int status = 0;
  Headers headers;
  std::string body;
  bool cut = false;  // the body was longer than `max_body`, and what came after was not read
};

// The `Retry-After` of an answer (RFC 9110, 10.2.3) from `now` on: seconds or a date. Nothing where
// there is none that can be read.
std::optional<Duration> retry_after(const Headers& headers, Timestamp now);

class Client {
 public:
  explicit Client(asio::any_io_executor executor, ClientSettings settings = {});
  ~Client();  // what is under way ends with an error
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // Any status is an answer. Errors: "unsent", where nothing can have reached the server (no such
  // host, refused, a certificate that is not trusted, cancelled or timed out before), and
  // "unanswered", where it may have. Their words hold host and cause, never path, query, headers or
  // body. Cancelling the coroutine ends the exchange at once, with one of the two.
  asio::awaitable<Result<Response>> send(Request request);

  const ClientSettings& settings() const;

 private:
  class Loop;
  std::shared_ptr<Loop> loop_;
};

}  // namespace koi::net
