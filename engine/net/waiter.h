// Waiter: who waits for an answer that comes later, the type of his handler forgotten.
#pragma once

#include <asio/associated_cancellation_slot.hpp>
#include <memory>
#include <utility>

#include "base/result.h"

namespace koi::net {

template <class Answer>
struct Waiter {
  virtual ~Waiter() = default;
  virtual void answer(Result<Answer> result) = 0;
};

template <class Answer, class Handler>
struct WaiterOf final : Waiter<Answer> {
  explicit WaiterOf(Handler given) : handler(std::move(given)) {}
  void answer(Result<Answer> result) override {
    asio::get_associated_cancellation_slot(handler).clear();
    std::move(handler)(std::move(result));
  }
  Handler handler;
};

}  // namespace koi::net
