#include <poll.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <memory>

#include "cli/command.h"
#include "lsp/frames.h"
#include "lsp/server.h"

namespace koi::cli {

namespace {

// What is wrong is said when nothing has come for so long: the next key of who types fast is there
// sooner, and nobody sees the wait.
constexpr int moment_ms = 10;
// What takes the whole program, which may take longer than the next key: when nothing has come for
// so long.
constexpr int rest_ms = 250;

bool write_whole(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(STDOUT_FILENO, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

int serve_editor(const std::string& language) {
  bool open = true;
  lsp::Server server(language_of(language), KOI_VERSION, [&](const std::string& message) {
    open = open && write_whole(lsp::framed(message));
  });
  lsp::Frames frames;
  std::string bytes(64u << 10, '\0');
  int wait_ms = moment_ms;
  while (open && !server.ended()) {
    pollfd input{STDIN_FILENO, POLLIN, 0};
    const int ready = ::poll(&input, 1, server.has_news() ? wait_ms : -1);
    if (ready < 0 && errno != EINTR) return trouble("the editor cannot be heard");
    if (ready == 0) wait_ms = server.tell_diagnostics() ? moment_ms : rest_ms;
    if (ready <= 0) continue;
    wait_ms = moment_ms;
    const ssize_t count = ::read(STDIN_FILENO, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    frames.feed({bytes.data(), static_cast<std::size_t>(count)});
    while (const auto frame = frames.next()) {
      if (frame->fault.empty())
        server.take(frame->message);
      else
        server.fault(frame->fault);
    }
    while (open && !server.ended() && server.step()) {
    }
  }
  // An editor that is gone without `exit` is a fault of the world.
  return server.ended().value_or(Findings);
}

}  // namespace

std::function<int()> add_lsp(CLI::App& app) {
  auto language = std::make_shared<std::string>();
  auto stdio = std::make_shared<bool>();
  app.add_flag("--stdio", *stdio, "Over standard input and output, which is how it always is");
  add_language(app, *language);
  return [language, stdio] { return serve_editor(*language); };
}

}  // namespace koi::cli
