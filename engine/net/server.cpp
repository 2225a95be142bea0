// The only file that sees RESTinio.
#include "net/server.h"

#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <optional>
#include <restinio/all.hpp>
#include <vector>

namespace koi::net {

namespace {

struct Traits : restinio::default_single_thread_traits_t {
  using logger_t = restinio::null_logger_t;
  using request_handler_t =
      std::function<restinio::request_handling_status_t(restinio::request_handle_t)>;
  static constexpr bool use_connection_count_limiter = true;
};

std::chrono::steady_clock::duration of(Duration span) { return std::chrono::microseconds(span.us); }

int hex(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

// What is no %XX stays as it is.
std::string percent_decoded(std::string_view text, bool plus_is_blank) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && hex(text[i + 1]) >= 0 && hex(text[i + 2]) >= 0) {
      out += static_cast<char>(hex(text[i + 1]) * 16 + hex(text[i + 2]));
      i += 2;
    } else {
      out += plus_is_blank && text[i] == '+' ? ' ' : text[i];
    }
  }
  return out;
}

std::string_view reason_of(int status) {
  switch (status) {
    case 200: return "OK";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 410: return "Gone";
    case 413: return "Content Too Large";
    case 415: return "Unsupported Media Type";
    case 429: return "Too Many Requests";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 503: return "Service Unavailable";
    default: return "Status";
  }
}

void write(const restinio::request_handle_t& request, Answer answer, bool close) {
  const std::string_view reason = reason_of(answer.status);
  auto response = request->create_response(restinio::http_status_line_t{
      restinio::http_status_code_t{static_cast<std::uint16_t>(answer.status)},
      std::string(reason)});
  if (!answer.body.empty())
    response.append_header(restinio::http_field::content_type, std::move(answer.content_type));
  for (Header& header : answer.headers)
    response.append_header(std::move(header.name), std::move(header.value));
  if (close) response.connection_close();
  response.set_body(std::move(answer.body));
  response.done();
}

Error listen_error(const ServerSettings& settings, std::exception_ptr thrown) {
  const std::string place = settings.address + ":" + std::to_string(settings.port);
  try {
    std::rethrow_exception(thrown);
  } catch (const std::system_error& error) {
    if (error.code() == asio::error::address_in_use)
      return {"port_in_use",
              place + ": another program listens there; stop it or choose another port"};
    if (error.code() == asio::error::access_denied)
      return {"privileged", place + ": this user may not listen there; choose a port above 1023"};
    if (error.code().value() == EADDRNOTAVAIL)
      return {"address", place + ": this machine has no such address"};
    return {"listen", place + ": cannot listen: " + error.code().message()};
  } catch (const std::exception& error) {
    return {"listen", place + ": cannot listen: " + error.what()};
  }
}

}  // namespace

struct Server::State : std::enable_shared_from_this<Server::State> {
  State(ServerSettings given, Handler handle)
      : settings(std::move(given)), handler(std::move(handle)) {}

  restinio::request_handling_status_t take(const restinio::request_handle_t& request);

  ServerSettings settings;
  Handler handler;
  std::uint16_t port = 0;
  bool stopping = false;  // touched by the I/O thread alone
  std::atomic<std::size_t> unanswered{0};
};

namespace {
// RESTinio's connections point at the server that took them in, and live until the io_context is
// gone; so must the server. What is kept here goes after them.
class Keeper : public asio::execution_context::service {
 public:
  static inline asio::execution_context::id id;
  explicit Keeper(asio::execution_context& context) : service(context) {}
  std::vector<std::unique_ptr<restinio::http_server_t<Traits>>> servers;

 private:
  void shutdown() override {}
};
}  // namespace

// The server's state is kept by each place, so that the count is there when the answer comes late.
struct Reply::Place {
  std::shared_ptr<Server::State> state;
  restinio::request_handle_t request;
};

Reply::Reply(std::unique_ptr<Place> place) : place_(std::move(place)) {}
Reply::Reply(Reply&&) noexcept = default;
Reply& Reply::operator=(Reply&& other) noexcept {
  std::swap(place_, other.place_);
  return *this;
}
Reply::~Reply() {
  if (!place_) return;
  Answer answer{.status = 500,
                .body = R"({"error":"internal","message":"the request got no answer"})"};
  send(std::move(answer));
}

void Reply::send(Answer answer) {
  KOI_ASSERT(place_);
  const std::unique_ptr<Place> place = std::move(place_);
  write(place->request, std::move(answer), false);
  place->state->unanswered.fetch_sub(1, std::memory_order_acq_rel);
}

restinio::request_handling_status_t Server::State::take(const restinio::request_handle_t& request) {
  const auto& header = request->header();
  const auto refuse = [&](int status, std::string body) {
    Answer answer{.status = status, .body = std::move(body)};
    write(request, std::move(answer), true);
    return restinio::request_accepted();
  };
  if (header.connection() == restinio::http_connection_header_t::upgrade)
    return refuse(501, R"({"error":"upgrade","message":"only plain HTTP is spoken here"})");
  if (stopping)
    return refuse(503,
                  R"({"error":"stopping","message":"the server is stopping; try again later"})");
  if (request->body().size() > settings.max_body)
    return refuse(413, R"({"error":"too_large","message":"the body is larger than )" +
                           std::to_string(settings.max_body) + R"( bytes; send it in parts"})");

  Asked asked;
  asked.method = header.method().c_str();
  const restinio::string_view_t path = header.path();
  asked.path = percent_decoded({path.data(), path.size()}, false);
  const restinio::string_view_t query = header.query();
  asked.query.assign(query.data(), query.size());
  header.for_each_field([&](const auto& field) {
    asked.headers.push_back({std::string(field.name()), std::string(field.value())});
  });
  asked.body = request->body();
  unanswered.fetch_add(1, std::memory_order_acq_rel);
  auto place = std::make_unique<Reply::Place>(Reply::Place{shared_from_this(), request});
  handler(std::move(asked), Reply(std::move(place)));
  return restinio::request_accepted();
}

struct Server::Door {
  restinio::http_server_t<Traits>* server = nullptr;
  void close() {
    try {
      if (server) server->close_sync();
    } catch (const std::exception&) {  // it was closed from outside
    }
    server = nullptr;
  }
};

Server::Server(std::shared_ptr<State> state, std::unique_ptr<Door> door)
    : state_(std::move(state)), door_(std::move(door)) {}

Server::~Server() {
  state_->stopping = true;
  door_->close();
}

asio::awaitable<Result<std::unique_ptr<Server>>> Server::open(asio::io_context& context,
                                                              ServerSettings settings,
                                                              Handler handler) {
  auto state = std::make_shared<State>(settings, std::move(handler));
  const std::size_t far_more = 4 * settings.max_body + (std::size_t{1} << 20);
  try {
    auto& kept = asio::use_service<Keeper>(context).servers;
    kept.push_back(std::make_unique<restinio::http_server_t<Traits>>(
        restinio::external_io_context(context), [&](auto& given) {
          given.address(settings.address)
              .port(settings.port)
              .protocol(settings.address.find(':') == std::string::npos ? asio::ip::tcp::v4()
                                                                        : asio::ip::tcp::v6())
              .acceptor_post_bind_hook([state](asio::ip::tcp::acceptor& acceptor) {
                state->port = acceptor.local_endpoint().port();
              })
              .buffer_size(std::size_t{16} << 10)
              .max_parallel_connections(settings.max_connections)
              .concurrent_accepts_count(4)
              .max_pipelined_requests(1)
              .read_next_http_message_timelimit(of(settings.read_within))
              .write_http_response_timelimit(of(settings.write_within))
              .handle_request_timeout(of(settings.answer_within))
              .incoming_http_msg_limits(restinio::incoming_http_msg_limits_t{}
                                            .max_url_size(8192)
                                            .max_field_name_size(256)
                                            .max_field_value_size(8192)
                                            .max_field_count(100)
                                            .max_body_size(far_more))
              .request_handler([weak = std::weak_ptr(state)](restinio::request_handle_t request) {
                const auto alive = weak.lock();
                return alive ? alive->take(request) : restinio::request_rejected();
              });
        }));
    kept.back()->open_sync();
    co_return std::unique_ptr<Server>(
        new Server(state, std::make_unique<Door>(Door{kept.back().get()})));
  } catch (const std::exception&) {
    co_return listen_error(settings, std::current_exception());
  }
}

std::uint16_t Server::port() const { return state_->port; }

asio::awaitable<bool> Server::stop(Duration within) {
  const std::shared_ptr<State> state = state_;
  state->stopping = true;
  door_->close();
  const auto deadline = std::chrono::steady_clock::now() + of(within);
  asio::steady_timer timer(co_await asio::this_coro::executor);
  while (state->unanswered.load(std::memory_order_acquire) > 0) {
    if (std::chrono::steady_clock::now() >= deadline) co_return false;
    timer.expires_after(std::chrono::milliseconds(5));
    co_await timer.async_wait(asio::use_awaitable);
  }
  co_return true;
}

Headers query_of(std::string_view query) {
  Headers values;
  while (!query.empty()) {
    const std::string_view pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), pair.size() + 1));
    if (pair.empty()) continue;
    const std::size_t equals = std::min(pair.find('='), pair.size());
    values.push_back({percent_decoded(pair.substr(0, equals), true),
                      percent_decoded(pair.substr(std::min(equals + 1, pair.size())), true)});
  }
  return values;
}

}  // namespace koi::net
