// Deliveries a second through the webhook connector to a sink on this machine, against the bare
// libcurl multi loop that posts the same bytes there, in turns of the same run. Prints a table and
// ends with 1 where the goal is missed.
//   koi-bench-deliver [DELIVERIES] [CONNECTIONS]
#include <sys/resource.h>

#include <algorithm>
#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "bare.h"
#include "connectors/list.h"
#include "sink.h"

namespace {

using namespace koi;

constexpr double wanted_share = 0.6;
constexpr int rounds = 5;
constexpr const char* secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

Delivery delivery_of(std::uint64_t number) {
  Delivery delivery;
  delivery.key = {number, 7};
  delivery.customer = "customer-" + std::to_string(number);
  delivery.addresses = {{"phone", "+8613800138000"}};
  delivery.channel = "sms";
  delivery.campaign = "winter";
  delivery.content = "cart_nudge";
  delivery.title = "Your cart";
  delivery.body = "Two things wait for you. 您的购物车还有商品。";
  delivery.link = "https://shop.example/cart?a=1";
  return delivery;
}

double connector_seconds(std::uint16_t port, std::size_t count, std::size_t connections) {
  const channel::ConnectorType& type = *channel::find(connectors::all(), "webhook");
  setenv("KOI_BENCH_SECRET", secret, 1);
  const auto settings = channel::Settings::read(
      type.settings, {{"url", "http://127.0.0.1:" + std::to_string(port) + "/hook"},
                      {"secret", "env:KOI_BENCH_SECRET"}});
  asio::io_context context{1};
  net::Client http(context.get_executor());
  const auto now = [] {
    return Timestamp{std::chrono::duration_cast<std::chrono::microseconds>(
                         std::chrono::system_clock::now().time_since_epoch())
                         .count()};
  };
  auto connector = type.open(
      *settings, {context.get_executor(), &http, now, [](channel::Level, std::string_view) {}});
  std::size_t next = 0, ended = 0;
  const auto begin = std::chrono::steady_clock::now();
  std::function<void()> start = [&] {
    asio::co_spawn(context, (*connector)->deliver(delivery_of(next++)),
                   [&](const std::exception_ptr&, const channel::Outcome& outcome) {
                     if (!std::holds_alternative<channel::Done>(outcome)) {
                       std::fprintf(stderr, "%s\n", channel::to_string(outcome).c_str());
                       std::exit(2);
                     }
                     if (++ended == count) return context.stop();
                     if (next < count) start();
                   });
  };
  for (std::size_t i = 0; i < std::min(connections, count); ++i) start();
  context.run();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

// The most that this process has held so far, in MiB.
double peak() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

}  // namespace

int main(int argument_count, char** arguments) {
  const std::size_t count = argument_count > 1 ? std::strtoull(arguments[1], nullptr, 10) : 100'000;
  const std::size_t connections =
      argument_count > 2 ? std::strtoull(arguments[2], nullptr, 10) : 1000;
  // The same bytes as the connector sends: its own body, and headers as long as its own.
  const std::string body =
      R"({"type":"delivery","timestamp":"2026-03-02T10:30:00.123456Z","data":{"key":"00000000000000010000000000000007",)"
      R"("channel":"sms","campaign":"winter","content":"cart_nudge","customer":"customer-12345",)"
      R"("to":{"phone":"+8613800138000"},"title":"Your cart",)"
      R"("body":"Two things wait for you. 您的购物车还有商品。","link":"https://shop.example/cart?a=1"}})";
  const std::vector<std::string> headers{
      "Content-Type: application/json", "webhook-id: 00000000000000010000000000000007",
      "webhook-timestamp: 1772447400",
      "webhook-signature: v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4="};
  const bench::Sink sink;
  const double before = peak();
  double held = 0;
  std::vector<double> ours, bare;
  for (int round = 0; round < rounds; ++round) {  // in turns: both see the same machine
    ours.push_back(connector_seconds(sink.port(), count, connections));
    if (round == 0) held = peak() - before;
    bare.push_back(bench::bare_seconds(sink.port(), headers, body, count, connections));
  }
  std::sort(ours.begin(), ours.end());
  std::sort(bare.begin(), bare.end());
  const double our_rate = static_cast<double>(count) / ours[rounds / 2],
               bare_rate = static_cast<double>(count) / bare[rounds / 2];
  const double share = our_rate / bare_rate;
  std::printf("| deliver: %zu deliveries, %zu connections, median of %d | measured | wanted |\n",
              count, connections, rounds);
  std::printf("| --- | --- | --- |\n");
  std::printf("| webhook connector, deliveries/s | %.0f | |\n", our_rate);
  std::printf("| bare libcurl multi loop, requests/s | %.0f | |\n", bare_rate);
  std::printf("| connector over bare | %.2f | at least %.1f |\n", share, wanted_share);
  std::printf("| peak memory that %zu deliveries under way add | %.1f MiB | |\n", connections,
              held);
  return share >= wanted_share ? 0 : 1;
}
