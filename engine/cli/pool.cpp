// Uploads of codes: files of any length, in parts that one request can carry. What was uploaded
// before is no new code, so a part whose answer was lost is sent again.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <fstream>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "cli/command.h"
#include "cli/remote.h"
#include "net/message.h"

namespace koi::cli {

namespace {

constexpr std::size_t part_bytes = std::size_t{4} << 20;
constexpr auto between_tries = std::chrono::seconds(1);
constexpr int most_tries = 120;  // of one part

struct PoolOptions {
  std::string server = "http://127.0.0.1:8700", token_file, what, pool;
  std::vector<std::string> files;
};

// What was answered, over all parts.
struct Uploaded {
  std::uint64_t codes = 0, fresh = 0, left = 0, unfit = 0;
  std::string first_unfit;  // where it stands
  std::uint64_t generated = 0;
  std::string first_generated, generated_by;
  std::uint64_t unanswered = 0;  // parts that may have come before they were sent again
};

// Whole lines, about so many bytes of them; empty at the end.
std::string next_part(std::istream& in) {
  std::string part(part_bytes, '\0');
  in.read(part.data(), static_cast<std::streamsize>(part.size()));
  part.resize(static_cast<std::size_t>(in.gcount()));
  std::string rest;
  if (!part.empty() && part.back() != '\n' && std::getline(in, rest)) part += rest + "\n";
  return part;
}

// Sends it until it is answered; a server that never answered is not waited for.
Result<Json> send(Remote& server, const std::string& path, const std::string& part, Uploaded& all) {
  bool is_unanswered = false;
  for (int tries = 1;; ++tries) {
    auto asked = server.ask("POST", path, part);
    const bool is_later =
        asked ? asked->first == 429 || asked->first == 503 : all.codes > 0 && tries < most_tries;
    if (!asked && !is_later) return asked.error();
    const bool may_have_come = !asked && asked.error().code != "unsent";
    if (may_have_come && !std::exchange(is_unanswered, true)) ++all.unanswered;
    if (asked && asked->first == 200) return std::move(asked->second);
    if (asked && (!is_later || tries == most_tries))
      return Error{text_of(asked->second, "error"), text_of(asked->second, "message")};
    std::this_thread::sleep_for(between_tries);
  }
}

Result<void> upload(Remote& server, const PoolOptions& options, const std::string& file,
                    Uploaded& all) {
  std::ifstream in(file == "-" ? "/dev/stdin" : file, std::ios::binary);
  if (!in) return Error{"unreadable", file + ": it cannot be read"};
  const std::string path = "/v1/pools/" + net::percent_encoded(options.pool) + "/codes";
  std::uint64_t line = 0;  // before the part
  for (std::string part = next_part(in); !part.empty(); part = next_part(in)) {
    const auto lines = static_cast<std::uint64_t>(std::count(part.begin(), part.end(), '\n'));
    const bool is_empty = part.find_first_not_of(" \t\r\n") == part.npos;
    if (!is_empty) {
      const auto answer = send(server, path, part, all);
      if (!answer)
        return Error{answer.error().code, file + ", from line " + std::to_string(line + 1) +
                                              " on: " + answer.error().what};
      all.codes += number_of(*answer, "codes");
      all.fresh += number_of(*answer, "new");
      all.left = number_of(*answer, "left");
      if (all.unfit == 0 && number_of(*answer, "unfit") > 0)
        all.first_unfit =
            file + ", line " + std::to_string(line + number_of(*answer, "first_unfit_line"));
      all.unfit += number_of(*answer, "unfit");
      if (all.generated == 0 && number_of(*answer, "like_generated") > 0) {
        all.first_generated =
            file + ", line " +
            std::to_string(line + number_of(*answer, "first_like_generated_line"));
        all.generated_by = text_of(*answer, "generated_by");
      }
      all.generated += number_of(*answer, "like_generated");
    }
    line += lines;
  }
  if (in.bad()) return Error{"unreadable", file + ": it cannot be read to its end"};
  return {};
}

int upload(const PoolOptions& options) {
  Remote server(options.server, options.token_file);
  Uploaded all;
  for (const std::string& file : options.files)
    if (const auto done = upload(server, options, file, all); !done)
      return trouble(done.error().what + " (" + std::to_string(all.codes) +
                     " codes are uploaded; the same again changes nothing of them)");
  std::string said = std::to_string(all.codes) + " codes, " + std::to_string(all.fresh) +
                     " of them new; " + std::to_string(all.left) + " are left in the pool\n";
  if (all.unanswered > 0)
    said += "parts whose answer was lost: " + std::to_string(all.unanswered) +
            "; they were sent again, and what was taken of them before is not counted as new\n";
  if (all.unfit > 0)
    said += std::to_string(all.unfit) + " lines are no codes, the first: " + all.first_unfit + "\n";
  if (all.generated > 0)
    said += std::to_string(all.generated) + " codes are left out: they look like those that the " +
            "coupon `" + all.generated_by + "` generates, the first: " + all.first_generated +
            "; have others made, or give that coupon a pattern with a beginning of its own\n";
  return print(said, all.unfit == 0 && all.generated == 0 ? Done : Findings);
}

}  // namespace

std::function<int()> add_pool(CLI::App& app) {
  auto options = std::make_shared<PoolOptions>();
  app.add_option("what", options->what,
                 "upload: gives the server the codes of files, a code a line; what it has it does "
                 "not take twice")
      ->required()
      ->check(CLI::IsMember({"upload"}));
  app.add_option("pool", options->pool, "Its name, as the rules say it: codes from pool \"NAME\"")
      ->required();
  app.add_option("files", options->files, "Files of codes, of any length; `-`: standard input")
      ->required();
  add_server(app, options->server, options->token_file);
  return [options] { return upload(*options); };
}

}  // namespace koi::cli
