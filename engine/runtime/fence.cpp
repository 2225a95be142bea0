#include "runtime/fence.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/assert.h"

namespace koi::runtime {

namespace {

class Fenced final : public channel::Connector {
 public:
  Fenced(std::shared_ptr<channel::Connector> connector, TestRecipients recipients)
      : connector_(std::move(connector)), recipients_(std::move(recipients)) {}

  asio::awaitable<channel::Outcome> deliver(Delivery delivery) override {
    if (!is_for_testing(delivery)) {
      channel::Outcome refused = fenced_off();
      co_return refused;
    }
    channel::Outcome outcome = co_await connector_->deliver(std::move(delivery));
    co_return outcome;
  }
  channel::Together together() const override { return connector_->together(); }
  // What is for nobody here is like nothing, and goes by deliver().
  std::string alike(const Delivery& delivery) const override {
    return is_for_testing(delivery) ? connector_->alike(delivery) : std::string();
  }
  asio::awaitable<std::vector<channel::Outcome>> deliver_together(
      std::vector<Delivery> deliveries) override {
    KOI_ASSERT(std::all_of(deliveries.begin(), deliveries.end(),
                           [this](const Delivery& each) { return is_for_testing(each); }));
    return connector_->deliver_together(std::move(deliveries));
  }
  Duration reports_for(const Delivery& delivery) const override {
    return connector_->reports_for(delivery);
  }
  asio::awaitable<channel::Outcome> ask(Hash128 key) override { return connector_->ask(key); }
  asio::awaitable<channel::Received> receive(net::Asked asked) override {
    return connector_->receive(std::move(asked));
  }
  Duration look_every() const override { return connector_->look_every(); }
  asio::awaitable<channel::Received> look() override { return connector_->look(); }
  channel::MakesCodes* codes() override { return connector_->codes(); }

 private:
  static channel::Outcome fenced_off() {
    return channel::Refused{Failure::Unreachable,
                            "this environment reaches its test recipients alone"};
  }
  // By his id, or by all of the addresses that it would go to.
  bool is_for_testing(const Delivery& delivery) const {
    if (recipients_.contains(delivery.customer)) return true;
    return !delivery.addresses.empty() &&
           std::all_of(delivery.addresses.begin(), delivery.addresses.end(),
                       [this](const Address& each) {
                         return recipients_.contains(each.kind + ":" + each.value);
                       });
  }

  std::shared_ptr<channel::Connector> connector_;
  TestRecipients recipients_;
};

}  // namespace

std::shared_ptr<channel::Connector> fenced(std::shared_ptr<channel::Connector> connector,
                                           TestRecipients recipients) {
  return std::make_shared<Fenced>(std::move(connector), std::move(recipients));
}

}  // namespace koi::runtime
