#include "channel/line_writer.h"

#include <asio/associated_cancellation_slot.hpp>
#include <asio/async_result.hpp>
#include <asio/post.hpp>
#include <asio/use_awaitable.hpp>
#include <condition_variable>
#include <mutex>
#include <thread>

namespace koi::channel {

namespace {
struct Waiter {
  virtual ~Waiter() = default;
  virtual void answer(Outcome outcome) = 0;
};
template <class Handler>
struct WaiterOf final : Waiter {
  explicit WaiterOf(Handler given) : handler(std::move(given)) {}
  void answer(Outcome outcome) override {
    asio::get_associated_cancellation_slot(handler).clear();
    std::move(handler)(std::move(outcome));
  }
  Handler handler;
};
}  // namespace

struct LineWriter::Queue {
  // Answered once, by the thread or by a cancellation; both do it on the executor.
  struct Entry {
    Line line;
    std::unique_ptr<Waiter> waiter;
    bool begun = false;  // under the mutex
  };

  Queue(asio::any_io_executor given, Write to) : executor(std::move(given)), write(std::move(to)) {}

  static void answer(Entry& entry, Outcome outcome) {
    if (const auto waiter = std::move(entry.waiter)) waiter->answer(std::move(outcome));
  }

  void run() {
    std::unique_lock lock(mutex);
    while (true) {
      changed.wait(lock, [&] { return stop || !waiting.empty(); });
      if (stop) return;
      std::vector<std::shared_ptr<Entry>> batch = std::exchange(waiting, {});
      std::vector<Line> lines;
      for (const auto& entry : batch) {
        entry->begun = true;
        lines.push_back(std::move(entry->line));
      }
      lock.unlock();
      std::vector<Outcome> outcomes = write(lines, [this] {
        const std::lock_guard guard(mutex);
        return stop;
      });
      KOI_ASSERT(outcomes.size() == batch.size());
      asio::post(executor, [batch = std::move(batch), outcomes = std::move(outcomes)]() mutable {
        for (std::size_t i = 0; i < batch.size(); ++i) answer(*batch[i], std::move(outcomes[i]));
      });
      lock.lock();
    }
  }

  void cancel(const std::shared_ptr<Entry>& entry) {
    Outcome outcome = Unknown{"cancelled while it was written"};
    {
      const std::lock_guard guard(mutex);
      if (!entry->begun) {
        std::erase(waiting, entry);
        outcome = Deferred{.why = "cancelled before it was written"};
      }
    }
    asio::post(executor, [entry, outcome]() mutable { answer(*entry, std::move(outcome)); });
  }

  asio::any_io_executor executor;
  Write write;
  std::mutex mutex;
  std::condition_variable changed;
  bool stop = false;
  std::vector<std::shared_ptr<Entry>> waiting;
  std::thread thread;
};

LineWriter::LineWriter(asio::any_io_executor executor, Write write)
    : queue_(std::make_shared<Queue>(std::move(executor), std::move(write))) {
  queue_->thread = std::thread([queue = queue_.get()] { queue->run(); });
}

LineWriter::~LineWriter() {
  {
    const std::lock_guard guard(queue_->mutex);
    queue_->stop = true;
  }
  queue_->changed.notify_all();
  queue_->thread.join();
}

asio::awaitable<Outcome> LineWriter::write(Line line) {
  const std::shared_ptr<Queue> queue = queue_;
  const auto initiate = [&](auto handler) {
    auto entry = std::make_shared<Queue::Entry>();
    entry->line = std::move(line);
    if (auto slot = asio::get_associated_cancellation_slot(handler); slot.is_connected())
      slot.assign([queue, weak = std::weak_ptr(entry)](asio::cancellation_type) {
        if (const auto alive = weak.lock()) queue->cancel(alive);
      });
    entry->waiter = std::make_unique<WaiterOf<decltype(handler)>>(std::move(handler));
    {
      const std::lock_guard guard(queue->mutex);
      queue->waiting.push_back(std::move(entry));
    }
    queue->changed.notify_one();
  };
  co_return co_await asio::async_initiate<const asio::use_awaitable_t<>, void(Outcome)>(
      initiate, asio::use_awaitable);
}

}  // namespace koi::channel
