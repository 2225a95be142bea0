#include "connectors/http_provider.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/read.hpp>
#include <asio/read_until.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/write.hpp>
#include <cerrno>
#include <chrono>
#include <future>
#include <mutex>
#include <sstream>
#include <thread>

#include "base/assert.h"
#include "connectors/quietly.h"
#include "net/client.h"

namespace koi::connectors {

using channel::Act;

namespace {
// A door to which nobody comes: as many stand before it as may, so that no other gets there.
class Deaf {
 public:
  Deaf() {
    acceptor_.open(asio::ip::tcp::v4());
    acceptor_.bind({asio::ip::make_address("127.0.0.1"), 0});
    acceptor_.listen(0);
    for (auto& waiting : waiting_) {
      waiting.open(asio::ip::tcp::v4());
      waiting.native_non_blocking(true);
      const auto door = acceptor_.local_endpoint();
      // Asio's own would wait for an answer, which the last of them do not get.
      if (::connect(waiting.native_handle(), door.data(), static_cast<socklen_t>(door.size())) == 0)
        continue;
      KOI_ASSERT(errno == EINPROGRESS);
    }
  }
  int port() const { return acceptor_.local_endpoint().port(); }

 private:
  asio::io_context context_;
  asio::ip::tcp::acceptor acceptor_{context_};
  std::array<asio::ip::tcp::socket, 4> waiting_{
      asio::ip::tcp::socket(context_), asio::ip::tcp::socket(context_),
      asio::ip::tcp::socket(context_), asio::ip::tcp::socket(context_)};
};
}  // namespace

struct HttpProvider::State {
  explicit State(Script given) : script(std::move(given)) {}

  asio::awaitable<void> open() {
    net::ServerSettings settings;
    auto opened = co_await net::Server::open(
        context, settings,
        [this](net::Asked asked, net::Reply reply) { take(std::move(asked), std::move(reply)); });
    server = *std::move(opened);
  }

  // A second door, behind which HTTP is spoken badly.
  asio::awaitable<void> open_rough() {
    while (true) {
      auto [error, socket] = co_await rough.async_accept(quietly);
      if (error) co_return;
      asio::co_spawn(context, serve_roughly(std::move(socket)), asio::detached);
    }
  }

  asio::awaitable<void> serve_roughly(asio::ip::tcp::socket socket) {
    std::string heard;
    while (true) {
      const auto [error, end] = co_await asio::async_read_until(socket, asio::dynamic_buffer(heard),
                                                                std::string("\r\n\r\n"), quietly);
      if (error) co_return;
      net::Asked asked = parsed(heard.substr(0, end));
      heard.erase(0, end);
      const std::string* const length = net::find(asked.headers, "content-length");
      const std::size_t size = length ? std::stoul(*length) : 0;
      if (heard.size() < size) {
        const auto [broken, more] =
            co_await asio::async_read(socket, asio::dynamic_buffer(heard),
                                      asio::transfer_exactly(size - heard.size()), quietly);
        if (broken) co_return;
      }
      asked.body = heard.substr(0, size);
      heard.erase(0, size);
      const auto answer = take_roughly(asked);
      if (!answer) {
        const std::string head = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n";
        co_await asio::async_write(socket, asio::buffer(head), quietly);
        if (act_now() == Act::Broken) co_return;
        asio::steady_timer timer(context);
        while (true) {
          timer.expires_after(std::chrono::milliseconds(30));
          co_await timer.async_wait(quietly);
          const auto [gone, written] =
              co_await asio::async_write(socket, asio::buffer("{", 1), quietly);
          if (gone) co_return;
        }
      }
      const std::string whole =
          "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(answer->body.size()) + "\r\n\r\n" +
          answer->body;
      co_await asio::async_write(socket, asio::buffer(whole), quietly);
    }
  }

  static net::Asked parsed(const std::string& head) {
    net::Asked asked;
    std::istringstream lines(head);
    std::string line, address;
    std::getline(lines, line);
    std::istringstream(line) >> asked.method >> address;
    asked.path = address.substr(0, address.find('?'));
    if (asked.path.size() < address.size()) asked.query = address.substr(asked.path.size() + 1);
    while (std::getline(lines, line) && line.size() > 1) {
      const std::size_t colon = line.find(": ");
      asked.headers.push_back(
          {line.substr(0, colon), line.substr(colon + 2, line.size() - colon - 3)});
    }
    return asked;
  }

  std::optional<net::Answer> take_roughly(const net::Asked& asked) {
    const std::lock_guard guard(mutex);
    if (auto answer = script.aside ? script.aside(asked) : std::nullopt) return answer;
    if (const auto key = script.key_of(asked)) accepted.push_back(*key);
    return std::nullopt;
  }
  Act act_now() const {
    const std::lock_guard guard(mutex);
    return act;
  }

  void take(net::Asked asked, net::Reply reply) {
    const std::lock_guard guard(mutex);
    if (auto answer = script.aside ? script.aside(asked) : std::nullopt)
      return reply.send(*std::move(answer));
    const std::optional<std::string> key = script.key_of(asked);
    const net::Answer accepting = key && script.answer ? script.answer(asked) : script.accepted;
    last = std::move(asked);
    net::Answer answer = !key                   ? script.denied
                         : said                 ? *said
                         : act == Act::Refuse   ? script.refused
                         : act == Act::Busy     ? script.busy
                         : act == Act::Nonsense ? script.nonsense
                                                : accepting;
    if (key && !said && act != Act::Refuse && act != Act::Busy) accepted.push_back(*key);
    if (act == Act::Silent)
      held.push_back(std::move(reply));
    else
      reply.send(std::move(answer));
  }

  Script script;
  asio::io_context context;
  std::unique_ptr<net::Server> server;
  asio::ip::tcp::acceptor rough{context,
                                asio::ip::tcp::endpoint(asio::ip::make_address("127.0.0.1"), 0)};
  Deaf deaf;
  std::thread thread;
  mutable std::mutex mutex;
  Act act = Act::Accept;
  std::optional<net::Answer> said;
  net::Asked last;
  std::vector<net::Reply> held;
  std::vector<std::string> accepted;
};

HttpProvider::HttpProvider(Script script) : state_(std::make_unique<State>(std::move(script))) {
  std::promise<void> opened;
  state_->thread = std::thread([&, state = state_.get()] {
    asio::co_spawn(state->context, state->open_rough(), asio::detached);
    asio::co_spawn(state->context, state->open(), [&](std::exception_ptr) { opened.set_value(); });
    auto work = asio::make_work_guard(state->context);
    state->context.run();
  });
  opened.get_future().wait();
}

HttpProvider::~HttpProvider() {
  state_->context.stop();
  state_->thread.join();
  state_->server.reset();
  state_->held.clear();
}

std::vector<Act> HttpProvider::acts() const {
  std::vector<Act> acts{Act::Accept,   Act::Refuse, Act::Busy,        Act::Silent, Act::Slow,
                        Act::Nonsense, Act::Broken, Act::Unreachable, Act::Deaf};
  if (state_->script.forget) acts.push_back(Act::Expired);
  return acts;
}

void HttpProvider::next(Act act) {
  const std::lock_guard guard(state_->mutex);
  state_->act = act;
  state_->said.reset();
  if (act == Act::Expired) state_->script.forget();
}

std::vector<Failure> HttpProvider::refusals() const {
  std::vector<Failure> failures;
  for (const auto& [failure, answer] : state_->script.refusals) failures.push_back(failure);
  return failures;
}

void HttpProvider::refuse_next(Failure failure) { say(state_->script.refusals.at(failure)); }

std::optional<Duration> HttpProvider::busy_for() const {
  return net::retry_after(state_->script.busy.headers, {});
}

void HttpProvider::say(net::Answer answer) {
  const std::lock_guard guard(state_->mutex);
  state_->act = Act::Accept;
  state_->said = std::move(answer);
}

std::string HttpProvider::address() const {
  const std::lock_guard guard(state_->mutex);
  const int port = state_->act == Act::Unreachable ? 1
                   : state_->act == Act::Deaf      ? state_->deaf.port()
                   : state_->act == Act::Slow || state_->act == Act::Broken
                       ? state_->rough.local_endpoint().port()
                       : state_->server->port();
  return "http://127.0.0.1:" + std::to_string(port);
}

std::string HttpProvider::within() const {
  const std::lock_guard guard(state_->mutex);
  const bool answers =
      state_->act != Act::Silent && state_->act != Act::Slow && state_->act != Act::Deaf;
  return answers ? "20s" : "500ms";
}

std::vector<std::string> HttpProvider::accepted() const {
  const std::lock_guard guard(state_->mutex);
  return state_->accepted;
}

std::size_t HttpProvider::effects(const std::string& key) const {
  const std::lock_guard guard(state_->mutex);
  const auto times = std::count(state_->accepted.begin(), state_->accepted.end(), key);
  return static_cast<std::size_t>(state_->script.knows_again ? std::min<std::ptrdiff_t>(times, 1)
                                                             : times);
}

net::Asked HttpProvider::last() const {
  const std::lock_guard guard(state_->mutex);
  return state_->last;
}

}  // namespace koi::connectors
