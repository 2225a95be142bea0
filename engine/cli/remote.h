// Remote: a running server, as the commands that speak to one ask it.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "base/result.h"

namespace koi::cli {

using Json = nlohmann::ordered_json;

// One server, asked one thing after another.
class Remote {
 public:
  Remote(std::string server, std::string token_file)
      : server_(std::move(server)), token_file_(std::move(token_file)) {}

  // Its answer, whatever the status. Errors: "token", and those of net::Client.
  Result<std::pair<int, Json>> ask(std::string method, const std::string& path,
                                   std::string body = {});

 private:
  std::string server_, token_file_;
};

// Asks for what takes a while, and gives what is at `place` (with its number behind it) when that
// is over. Errors: what it was refused with; "lost" where the server was heard of no more.
Result<Json> ask_and_wait(Remote& server, const std::string& path, const std::string& body,
                          const std::string& place);

// A member of an answer; what is not there, or of another kind, is empty.
std::string text_of(const Json& json, const char* name);
std::uint64_t number_of(const Json& json, const char* name);
Json object_of(const Json& json, const char* name);
Json list_of(const Json& json, const char* name);

// Options of such commands.
void add_server(CLI::App& app, std::string& server, std::string& token_file);
void add_said(CLI::App& app, std::string& by, std::string& why);
// Who does it and why, as a query; where nobody is named, the environment's USER. Error "by".
Result<std::string> query_of(std::string by, const std::string& why);

}  // namespace koi::cli
