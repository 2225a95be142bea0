#include "cli/remote.h"

#include <asio/awaitable.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <chrono>
#include <cstdlib>
#include <optional>
#include <thread>

#include "cli/bundle.h"
#include "net/client.h"

namespace koi::cli {

namespace {

constexpr auto between_looks = std::chrono::milliseconds(100);

}  // namespace

Result<std::pair<int, Json>> Remote::ask(std::string method, const std::string& path,
                                         std::string body) {
  KOI_LET(const std::string token, read_token(token_file_));
  net::Request request;
  request.method = std::move(method);
  request.url = server_ + path;
  if (!token.empty()) request.headers.push_back({"Authorization", "Bearer " + token});
  request.body = std::move(body);
  request.answer_within = minutes(2);
  request.max_body = std::size_t{64} << 20;
  asio::io_context context;
  std::optional<Result<net::Response>> got;
  {
    net::Client client(context.get_executor());
    const auto exchange = [&]() -> asio::awaitable<void> {
      got.emplace(co_await client.send(std::move(request)));
      context.stop();
    };
    asio::co_spawn(context, exchange, asio::detached);
    context.run();
  }
  if (!*got) return Error{got->error().code, server_ + ": " + got->error().what};
  Json json = Json::parse((*got)->body, nullptr, false);
  if (json.is_discarded() || !json.is_object())
    return Error{"answer", server_ + " does not answer as a Koi server does"};
  return std::pair((*got)->status, std::move(json));
}

Result<Json> ask_and_wait(Remote& server, const std::string& path, const std::string& body,
                          const std::string& place) {
  KOI_LET(const auto asked, server.ask("POST", path, body));
  if (asked.first != 202)
    return Error{text_of(asked.second, "error"), text_of(asked.second, "message")};
  const std::string number = std::to_string(number_of(asked.second, "number"));
  for (;;) {
    auto outcome = server.ask("GET", place + number);
    if (!outcome) return Error{"lost", outcome.error().what};
    if (outcome->first != 200)
      return Error{text_of(outcome->second, "error"), text_of(outcome->second, "message")};
    if (text_of(outcome->second, "state") != "under way") return std::move(outcome->second);
    std::this_thread::sleep_for(between_looks);
  }
}

std::string text_of(const Json& json, const char* name) {
  const auto found = json.find(name);
  return found != json.end() && found->is_string() ? found->get<std::string>() : std::string();
}
std::uint64_t number_of(const Json& json, const char* name) {
  const auto found = json.find(name);
  return found != json.end() && found->is_number_unsigned() ? found->get<std::uint64_t>() : 0;
}

Json object_of(const Json& json, const char* name) {
  const auto found = json.find(name);
  return found != json.end() && found->is_object() ? *found : Json::object();
}
Json list_of(const Json& json, const char* name) {
  Json objects = Json::array();
  const auto found = json.find(name);
  if (found != json.end() && found->is_array())
    for (const Json& each : *found)
      if (each.is_object()) objects.push_back(each);
  return objects;
}

void add_server(CLI::App& app, std::string& server, std::string& token_file) {
  app.add_option("--server", server, "Where it serves")->capture_default_str();
  app.add_option("--token-file", token_file,
                 "Its first line is the token that requests must bring; else KOI_TOKEN");
}

void add_said(CLI::App& app, std::string& by, std::string& why) {
  app.add_option("--by", by, "Who does it, for the history; else the environment's USER");
  app.add_option("--why", why, "Why, for the history")->required();
}

Result<std::string> query_of(std::string by, const std::string& why) {
  if (by.empty())
    if (const char* user = std::getenv("USER")) by = user;
  if (by.empty()) return Error{"by", "say who does it with --by"};
  return "?by=" + net::percent_encoded(by) + "&why=" + net::percent_encoded(why);
}

}  // namespace koi::cli
