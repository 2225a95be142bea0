// Delivers messages through the webhook connector to an address, for the reference test beside
// this.
//   koi_deliver URL COUNT      the secret is in KOI_SECRET, an older one in KOI_OLD_SECRET
#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>
#include <cstdlib>
#include <iostream>

#include "connectors/list.h"

using namespace koi;

int main(int count_of_arguments, char** arguments) {
  if (count_of_arguments != 3) return 2;
  channel::Given given{{"url", std::string(arguments[1])},
                       {"secret", std::string("env:KOI_SECRET")}};
  if (std::getenv("KOI_OLD_SECRET")) given["old_secret"] = std::string("env:KOI_OLD_SECRET");
  const channel::ConnectorType* const type = channel::find(connectors::all(), "webhook");
  const auto settings = channel::Settings::read(type->settings, given);
  if (!settings) return std::cerr << settings.error().what << '\n', 2;

  asio::io_context context;
  net::Client http(context.get_executor());
  const auto now = [] {
    return Timestamp{static_cast<std::int64_t>(std::time(nullptr)) * 1'000'000};
  };
  auto connector = type->open(
      *settings, {context.get_executor(), &http, now, [](channel::Level, std::string_view) {}});
  if (!connector) return std::cerr << connector.error().what << '\n', 2;
  const std::size_t count = std::strtoull(arguments[2], nullptr, 10);
  std::size_t left = count;
  for (std::size_t i = 0; i < count; ++i) {
    Delivery delivery;
    delivery.key = {i, ~i};
    delivery.customer = "客户 \"" + std::to_string(i) + "\"";
    delivery.channel = "sms";
    delivery.body = std::string(i, static_cast<char>(1 + i % 127)) + "🎉\n";
    asio::co_spawn(context, (*connector)->deliver(delivery),
                   [&](std::exception_ptr, channel::Outcome outcome) {
                     std::cout << channel::to_string(outcome) << '\n';
                     if (--left == 0) context.stop();
                   });
  }
  context.run();
  return 0;
}
