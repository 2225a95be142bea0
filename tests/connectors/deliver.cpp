// Delivers messages through a connector, for the reference tests beside this.
//   koi_deliver CONNECTOR NAME=VALUE…    settings; deliveries as JSON on standard input, one a line
// KOI_CA_FILE in the environment: the authorities to trust.
// Prints the outcomes, one a line, in the order of the deliveries. What is alike goes together
// where the connector takes it so.
#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>

#include "connectors/list.h"

using namespace koi;

namespace {

Delivery delivery_of(const std::string& line) {
  const auto json = nlohmann::json::parse(line);
  Delivery delivery;
  delivery.key = {json.at("key").get<std::uint64_t>(), 7};
  delivery.customer = json.value("customer", "");
  const auto to = json.value("to", nlohmann::json::object());
  for (const auto& [kind, value] : to.items())
    delivery.addresses.push_back({kind, value.get<std::string>()});
  delivery.channel = json.value("channel", "channel");
  delivery.campaign = json.value("campaign", "campaign");
  delivery.content = json.value("content", "content");
  delivery.title = json.value("title", "");
  delivery.body = json.value("body", "");
  delivery.link = json.value("link", "");
  if (const auto payout = json.find("payout"); payout != json.end())
    delivery.payout = Payout{payout->at("amount").get<std::int64_t>(), payout->at("currency"),
                             payout->value("remark", "")};
  return delivery;
}

// The places of those that go together, request by request.
std::vector<std::vector<std::size_t>> requests_of(const channel::Connector& connector,
                                                  const std::vector<Delivery>& deliveries) {
  const std::size_t most = connector.together().most;
  std::vector<std::vector<std::size_t>> requests;
  std::map<std::string, std::size_t> open;
  for (std::size_t i = 0; i < deliveries.size(); ++i) {
    const std::string alike = most > 1 ? connector.alike(deliveries[i]) : "";
    const auto found = alike.empty() ? open.end() : open.find(alike);
    if (found != open.end() && requests[found->second].size() < most) {
      requests[found->second].push_back(i);
      continue;
    }
    if (!alike.empty()) open[alike] = requests.size();
    requests.push_back({i});
  }
  return requests;
}

}  // namespace

int main(int count_of_arguments, char** arguments) {
  if (count_of_arguments < 2) return 2;
  const channel::ConnectorType* const type = channel::find(connectors::all(), arguments[1]);
  if (!type) return 2;
  channel::Given given;
  for (int i = 2; i < count_of_arguments; ++i) {
    const std::string argument = arguments[i];
    const std::size_t equals = std::min(argument.find('='), argument.size() - 1);
    given[argument.substr(0, equals)] = argument.substr(equals + 1);
  }
  const auto settings = channel::Settings::read(type->settings, given);
  if (!settings) return std::cerr << settings.error().what << '\n', 2;

  asio::io_context context;
  net::ClientSettings trusting;
  if (const char* const authorities = std::getenv("KOI_CA_FILE")) trusting.ca_file = authorities;
  net::Client http(context.get_executor(), trusting);
  const auto now = [] {
    return Timestamp{static_cast<std::int64_t>(std::time(nullptr)) * 1'000'000};
  };
  channel::Notebook notes(now);
  auto connector = type->open(*settings, {context.get_executor(), &http, now,
                                          [](channel::Level, std::string_view) {}, &notes});
  if (!connector) return std::cerr << connector.error().what << '\n', 2;
  std::vector<Delivery> deliveries;
  for (std::string line; std::getline(std::cin, line);) deliveries.push_back(delivery_of(line));

  // As many at the same time as it can, as the outbox does.
  const auto requests = requests_of(**connector, deliveries);
  std::vector<std::string> outcomes(deliveries.size());
  std::size_t next = 0, under_way = 0;
  std::function<void()> go_on = [&] {
    for (; next < requests.size() && under_way < type->capabilities.at_once; ++next, ++under_way) {
      const auto over = [&, places = requests[next]](const std::vector<channel::Outcome>& came) {
        for (std::size_t i = 0; i < places.size(); ++i)
          outcomes[places[i]] = channel::to_string(came.at(i));
        --under_way;
        go_on();
        if (under_way == 0) context.stop();
      };
      std::vector<Delivery> together;
      for (const std::size_t i : requests[next]) together.push_back(deliveries[i]);
      if (together.size() > 1)
        asio::co_spawn(
            context, (*connector)->deliver_together(std::move(together)),
            [over](std::exception_ptr, const std::vector<channel::Outcome>& came) { over(came); });
      else
        asio::co_spawn(
            context, (*connector)->deliver(std::move(together[0])),
            [over](std::exception_ptr, channel::Outcome outcome) { over({std::move(outcome)}); });
    }
  };
  go_on();
  if (!deliveries.empty()) context.run();
  for (const std::string& outcome : outcomes) std::cout << outcome << '\n';
  return 0;
}
