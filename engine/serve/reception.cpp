#include "serve/reception.h"

#include <utility>

namespace koi::serve {

Reception::Reception(Engine& engine, std::size_t most_bytes)
    : engine_(engine), most_bytes_(most_bytes), thread_([this] { run(); }) {}

Reception::~Reception() {
  {
    const std::lock_guard lock(mutex_);
    is_over_ = true;
  }
  changed_.notify_all();
  thread_.join();
  engine_.places().settle();  // what was taken is on its way to the writers then
}

bool Reception::enqueue(Job job) {
  {
    const std::lock_guard lock(mutex_);
    if (is_over_) return false;
    bytes_ += job.text.size();
    jobs_.push_back(std::move(job));
  }
  changed_.notify_one();
  return true;
}

void Reception::take(std::string body, bool is_lines, const Door::Answer& answer) {
  if (bytes_ + body.size() > most_bytes_ && bytes_ > 0)
    return answer(Error{"busy",
                        "more requests wait than can be taken; send this one again a "
                        "little later"});
  if (engine_.is_full())
    return answer(Error{"busy",
                        "more messages wait to be delivered than can be kept; the channels "
                        "are slow or down; send this again later"});
  if (!enqueue({std::move(body), is_lines, answer, {}, {}}))
    answer(Error{"stopping", "this server is stopping and takes nothing more"});
}

void Reception::customer_of(std::string subject,
                            const std::function<void(Result<std::string>)>& answer) {
  if (!enqueue({std::move(subject), false, {}, answer, {}}))
    answer(Error{"stopping", "this server is stopping and shows nothing more"});
}

void Reception::later(std::function<void()> work) { enqueue({{}, false, {}, {}, std::move(work)}); }

void Reception::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [&] { return !jobs_.empty() || is_over_; });
    if (jobs_.empty()) return;
    const Job job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    if (job.work)
      job.work();
    else if (job.found)
      job.found(engine_.door().customer_of(job.text));
    else
      engine_.door().take(job.text, job.is_lines, job.answer);
    bytes_ -= job.text.size();
    lock.lock();
  }
}

}  // namespace koi::serve
