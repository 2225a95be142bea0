#include "connectors/http_provider.h"

#include <algorithm>
#include <asio/co_spawn.hpp>
#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <future>
#include <mutex>
#include <thread>

#include "net/client.h"

namespace koi::connectors {

using channel::Act;

struct HttpProvider::State {
  explicit State(Script given) : script(std::move(given)) {}

  asio::awaitable<void> open() {
    net::ServerSettings settings;
    auto opened = co_await net::Server::open(
        context, settings,
        [this](net::Asked asked, net::Reply reply) { take(std::move(asked), std::move(reply)); });
    server = *std::move(opened);
  }

  void take(net::Asked asked, net::Reply reply) {
    const std::lock_guard guard(mutex);
    const std::optional<std::string> key = script.key_of(asked);
    last = std::move(asked);
    net::Answer answer = !key                   ? script.denied
                         : said                 ? *said
                         : act == Act::Refuse   ? script.refused
                         : act == Act::Busy     ? script.busy
                         : act == Act::Nonsense ? script.nonsense
                                                : script.accepted;
    if (key && !said && act != Act::Refuse && act != Act::Busy) accepted.push_back(*key);
    if (act == Act::Silent)
      held.push_back(std::move(reply));
    else
      reply.send(std::move(answer));
  }

  Script script;
  asio::io_context context;
  std::unique_ptr<net::Server> server;
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
  return {Act::Accept, Act::Refuse, Act::Busy, Act::Silent, Act::Nonsense, Act::Unreachable};
}

void HttpProvider::next(Act act) {
  const std::lock_guard guard(state_->mutex);
  state_->act = act;
  state_->said.reset();
}

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
  const int port = state_->act == Act::Unreachable ? 1 : state_->server->port();
  return "http://127.0.0.1:" + std::to_string(port);
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
