#include "wecom/gather.h"

#include <algorithm>
#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/co_spawn.hpp>
#include <asio/experimental/as_tuple.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>
#include <chrono>
#include <optional>
#include <set>

namespace koi::connectors {

using namespace channel;

namespace {

constexpr auto quietly = asio::experimental::as_tuple(asio::use_awaitable);

// One who waits; his timer is the bell that rings when there is an outcome.
struct Waiter {
  Waiter(const asio::any_io_executor& executor, Gather::Member who)
      : member(std::move(who)), bell(executor, asio::steady_timer::time_point::max()) {}
  Gather::Member member;
  std::optional<Outcome> outcome;
  asio::steady_timer bell;
};
using Waiting = std::shared_ptr<Waiter>;

struct Batch {
  std::string message;
  std::vector<Waiting> waiting;
  std::set<std::string> persons;  // each of them once
  bool is_sent = false;
};

}  // namespace

struct Gather::State : std::enable_shared_from_this<State> {
  State(asio::any_io_executor on, Duration how_long, std::size_t how_many, Send how)
      : executor(std::move(on)), within(how_long), most(how_many), send(std::move(how)) {}

  asio::any_io_executor executor;
  Duration within;
  std::size_t most;
  Send send;
  std::multimap<std::string, std::shared_ptr<Batch>> open;  // by message
  std::vector<std::shared_ptr<asio::cancellation_signal>> under_way;
  bool is_over = false;

  // A batch of that message which has room and in which the person is not yet.
  std::shared_ptr<Batch> batch_for(const std::string& message, const std::string& person) {
    const auto [begin, end] = open.equal_range(message);
    for (auto each = begin; each != end; ++each)
      if (each->second->persons.size() < most && !each->second->persons.contains(person))
        return each->second;
    auto made = std::make_shared<Batch>();
    made->message = message;
    open.emplace(message, made);
    begin_sending(made);
    return made;
  }

  void begin_sending(const std::shared_ptr<Batch>& batch) {
    auto cancel = std::make_shared<asio::cancellation_signal>();
    under_way.push_back(cancel);
    asio::co_spawn(executor, send_later(shared_from_this(), batch),
                   asio::bind_cancellation_slot(cancel->slot(), [weak = weak_from_this(), cancel,
                                                                 batch](std::exception_ptr) {
                     if (const auto alive = weak.lock()) std::erase(alive->under_way, cancel);
                     ring(*batch);
                   }));
  }

  static asio::awaitable<void> send_later(std::shared_ptr<State> self,
                                          std::shared_ptr<Batch> batch) {
    asio::steady_timer timer(self->executor, std::chrono::microseconds(self->within.us));
    co_await timer.async_wait(quietly);
    const auto [begin, end] = self->open.equal_range(batch->message);
    for (auto each = begin; each != end; ++each)
      if (each->second == batch) {
        self->open.erase(each);
        break;
      }
    if (self->is_over || batch->waiting.empty()) co_return;
    batch->is_sent = true;
    std::vector<Member> members;
    for (const Waiting& waiter : batch->waiting) members.push_back(waiter->member);
    const auto waiting = batch->waiting;
    std::vector<Outcome> outcomes = co_await self->send(batch->message, std::move(members));
    for (std::size_t i = 0; i < waiting.size() && i < outcomes.size(); ++i)
      waiting[i]->outcome = std::move(outcomes[i]);
  }
  static void ring(Batch& batch) {
    for (const Waiting& waiter : batch.waiting) waiter->bell.cancel();
  }
};

Gather::Gather(asio::any_io_executor executor, Duration within, std::size_t most, Send send)
    : state_(std::make_shared<State>(std::move(executor), within, most, std::move(send))) {}

Gather::~Gather() {
  state_->is_over = true;
  const auto signals = state_->under_way;
  for (const auto& signal : signals) signal->emit(asio::cancellation_type::terminal);
}

asio::awaitable<Outcome> Gather::add(std::string message, Member member) {
  const auto state = state_;
  auto waiter = std::make_shared<Waiter>(state->executor, member);
  const auto batch = state->batch_for(message, waiter->member.person);
  batch->waiting.push_back(waiter);
  batch->persons.insert(waiter->member.person);
  co_await waiter->bell.async_wait(quietly);
  if (waiter->outcome) co_return *waiter->outcome;
  // He was cancelled, or nobody knows: before it is sent he can still step out.
  if (batch->is_sent) co_return Unknown{};
  std::erase(batch->waiting, waiter);
  co_return Deferred{.why = "cancelled before it was sent"};
}

}  // namespace koi::connectors
