#include "serve/callbacks.h"

#include <algorithm>
#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/co_spawn.hpp>
#include <asio/experimental/as_tuple.hpp>
#include <asio/post.hpp>
#include <asio/steady_timer.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>
#include <chrono>
#include <utility>

#include "base/json.h"

namespace koi::serve {

namespace {

using namespace channel;

constexpr auto quietly = asio::experimental::as_tuple(asio::use_awaitable);
constexpr std::size_t largest_callback = std::size_t{1} << 20;
// Providers give up after five.
constexpr auto receive_within = std::chrono::seconds(4);
constexpr auto look_within = std::chrono::seconds(60);
constexpr std::size_t most_at_once = 64;

void append_pair(std::string& out, std::string_view name, std::string_view text) {
  out += out.back() == '{' ? "" : ",";
  append_json_string(out, name);
  out += ':';
  append_json_string(out, text);
}

// A refusal of the account is one of every channel that it serves.
bool is_of_account(const Told& told) {
  return told.type == "unsubscribed" || told.type == "consented";
}

net::Answer problem(int status, std::string text) {
  return answered(status, std::move(text)).answer;
}

}  // namespace

std::string line_of(const Told& told, std::string_view kind, std::string_view channel) {
  std::string line = "{";
  append_pair(line, "id", told.id);
  append_pair(line, "type", told.type);
  append_pair(line, "time", to_string(told.time, utc()));
  append_pair(line, "subject", std::string(kind) + ":" + told.person);
  line += R"(,"data":{)";
  append_pair(line, "channel", channel);
  for (const auto& [name, text] : told.fields)
    if (name != "channel") append_pair(line, name, text);
  return line + "}}\n";
}

struct Callbacks::State : std::enable_shared_from_this<State> {
  struct Channel {
    runtime::Lane lane;
    std::string kind;  // of the identifiers that it reaches people by; empty: by none
    std::vector<std::string> of_account;  // channels with the same connector, itself among them
  };

  asio::any_io_executor executor;
  Ways ways;
  std::vector<Channel> channels;
  Figures figures;
  std::vector<std::shared_ptr<asio::cancellation_signal>> under_way;
  bool is_over = false;

  const Channel* find(std::string_view name) const {
    const auto found = std::find_if(channels.begin(), channels.end(),
                                    [&](const Channel& each) { return each.lane.channel == name; });
    return found == channels.end() ? nullptr : &*found;
  }

  // Runs the connector's part of it with a limit of time; `then` gets null where it came to
  // nothing.
  using Then = std::function<void(const Received*)>;
  void run(asio::awaitable<Received> work, std::shared_ptr<Connector> connector,
           std::chrono::seconds within, Then then) {
    auto cancel = std::make_shared<asio::cancellation_signal>();
    auto timer = std::make_shared<asio::steady_timer>(executor, within);
    under_way.push_back(cancel);
    timer->async_wait([cancel](const std::error_code& fault) {
      if (!fault) cancel->emit(asio::cancellation_type::terminal);
    });
    asio::co_spawn(
        executor, std::move(work),
        asio::bind_cancellation_slot(
            cancel->slot(), [self = shared_from_this(), cancel, timer, connector,
                             then = std::move(then)](std::exception_ptr thrown, Received received) {
              timer->cancel();
              std::erase(self->under_way, cancel);
              then(thrown ? nullptr : &received);
            }));
  }

  // What was told becomes durable, and then counts. `then` is called on the executor's thread.
  void keep(const Channel& channel, Received received, std::function<void(Result<void>)> then) {
    std::string lines;
    for (const Told& told : received.events) {
      if (channel.kind.empty() || told.person.empty()) {
        ++figures.rejected;
        continue;
      }
      if (!is_of_account(told)) {
        lines += line_of(told, channel.kind, channel.lane.channel);
        continue;
      }
      for (const std::string& each : channel.of_account) {
        Told of_one = told;
        if (channel.of_account.size() > 1) of_one.id += ":" + each;
        lines += line_of(of_one, channel.kind, each);
      }
    }
    auto kept = [weak = weak_from_this(), received = std::move(received),
                 then = std::move(then)](Result<std::vector<LineResult>> results) {
      const auto self = weak.lock();
      if (!self) return;
      if (!results) return then(std::move(results).error());
      for (const LineResult& result : *results) self->count(result);
      for (const Report& report : received.reports)
        ++(self->ways.heard(report.key, report.failure) ? self->figures.reports
                                                        : self->figures.unknown_reports);
      if (received.kept) received.kept();
      then({});
    };
    if (lines.empty()) return kept(std::vector<LineResult>{});
    ways.take(std::move(lines), [on = executor,
                                 kept = std::move(kept)](Result<std::vector<LineResult>> results) {
      asio::post(on, [kept, results = std::move(results)]() mutable { kept(std::move(results)); });
    });
  }
  void count(const LineResult& result) {
    const bool is_kept = result.came != Came::Rejected && result.came != Came::UnknownType;
    ++(is_kept ? figures.events : figures.rejected);
  }

  asio::awaitable<void> look_on(std::size_t index) {
    const Channel& channel = channels[index];
    const auto connector = channel.lane.connector;
    asio::steady_timer timer(co_await asio::this_coro::executor);
    while (!is_over) {
      timer.expires_after(std::chrono::microseconds(connector->look_every().us));
      const auto [fault] = co_await timer.async_wait(quietly);
      if (fault || is_over) co_return;
      struct Done {
        asio::steady_timer timer;
        bool is_over = false;
        void now() {
          is_over = true;
          timer.cancel();
        }
      };
      auto done = std::make_shared<Done>(asio::steady_timer(executor, 2 * look_within));
      run(connector->look(), connector, look_within,
          [self = shared_from_this(), index, done](const Received* received) {
            if (!received || self->is_over) return done->now();
            self->keep(self->channels[index], *received, [self, done, index](Result<void> kept) {
              if (!kept)
                self->ways.log(Level::Warning,
                               "channel " + self->channels[index].lane.channel +
                                   ": what it told is not kept yet: " + kept.error().what);
              done->now();
            });
          });
      if (!done->is_over) co_await done->timer.async_wait(quietly);
    }
  }
};

Callbacks::Callbacks(asio::any_io_executor executor, const plan::Plan& plan,
                     std::vector<runtime::Lane> lanes, Ways ways)
    : state_(std::make_shared<State>()) {
  state_->executor = std::move(executor);
  state_->ways = std::move(ways);
  for (std::size_t i = 0; i < lanes.size(); ++i) {
    State::Channel& channel = state_->channels.emplace_back();
    channel.lane = lanes[i];
    // Behind the channels stand teams and webhooks, which reach nobody by an identifier.
    const auto kind = i < plan.channels.size() ? plan.channels[i].reach_by : IdentifierId::none();
    if (kind) channel.kind = plan.schema.identifiers[kind.index()];
    for (const runtime::Lane& other : lanes)
      if (other.connector == lanes[i].connector) channel.of_account.push_back(other.channel);
  }
}

Callbacks::~Callbacks() {
  state_->is_over = true;
  const auto signals = state_->under_way;
  for (const auto& signal : signals) signal->emit(asio::cancellation_type::terminal);
}

void Callbacks::take(const std::string& name, net::Asked asked, net::Reply reply) {
  State& state = *state_;
  const State::Channel* const channel = state.find(name);
  const auto refuse = [&](int status, std::string text) {
    ++state.figures.refused;
    reply.send(problem(status, std::move(text)));
  };
  if (!channel || !channel->lane.type->capabilities.receives)
    return refuse(404, "no channel of this name takes callbacks");
  if (asked.body.size() > largest_callback) return refuse(413, "this is longer than 1 MiB");
  if (state.is_over || state.under_way.size() >= most_at_once) return refuse(503, "again later");
  auto place = std::make_shared<net::Reply>(std::move(reply));
  const auto connector = channel->lane.connector;
  state.run(connector->receive(std::move(asked)), connector, receive_within,
            [weak = std::weak_ptr(state_), channel, place](const Received* received) {
              const auto self = weak.lock();
              if (!self) return;
              const auto send = [self, place](net::Answer answer) {
                ++(answer.status < 300 ? self->figures.taken : self->figures.refused);
                place->send(std::move(answer));
              };
              if (!received) return send(problem(503, "it could not be read in time"));
              self->keep(*channel, *received, [send, answer = received->answer](Result<void> kept) {
                send(kept ? answer : problem(503, "it could not be kept; send it again"));
              });
            });
}

void Callbacks::begin_looking() {
  for (std::size_t i = 0; i < state_->channels.size(); ++i) {
    const State::Channel& channel = state_->channels[i];
    // Channels that share a connector look once.
    if (channel.of_account.front() != channel.lane.channel ||
        channel.lane.connector->look_every() <= Duration{})
      continue;
    auto cancel = std::make_shared<asio::cancellation_signal>();
    state_->under_way.push_back(cancel);
    asio::co_spawn(state_->executor, state_->look_on(i),
                   asio::bind_cancellation_slot(
                       cancel->slot(), [state = state_, cancel](const std::exception_ptr&) {
                         std::erase(state->under_way, cancel);
                       }));
  }
}

asio::awaitable<void> Callbacks::stop() {
  const auto state = state_;
  state->is_over = true;
  const auto signals = state->under_way;
  for (const auto& signal : signals) signal->emit(asio::cancellation_type::terminal);
  asio::steady_timer timer(co_await asio::this_coro::executor);
  for (int i = 0; i < 1000 && !state->under_way.empty(); ++i) {
    timer.expires_after(std::chrono::milliseconds(5));
    co_await timer.async_wait(quietly);
  }
}

const Callbacks::Figures& Callbacks::figures() const { return state_->figures; }

}  // namespace koi::serve
