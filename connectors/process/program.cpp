#include "process/program.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/read_until.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>
#include <chrono>
#include <csignal>
#include <cstring>
#include <deque>
#include <map>

#include "process/answer.h"
#include "quietly.h"

extern "C" {
#include <sys/pidfd.h>  // glibc 2.36 forgot to say that these are C
}
extern char** environ;

namespace koi::connectors {

using namespace channel;
using std::chrono::steady_clock;

namespace {

constexpr std::size_t longest_answer = std::size_t{512} << 10;
constexpr Duration first_wait = seconds(1), longest_wait = minutes(1);

std::chrono::microseconds of(Duration span) { return std::chrono::microseconds(span.us); }

// What was asked and is not answered.
struct Open {
  explicit Open(const asio::any_io_executor& executor) : timer(executor) {}
  std::string line;
  std::uint64_t begins = 0;  // at this byte of all that was written to the program
  bool begun = false;        // at least a part of it may have been written
  std::optional<ProgramSaid> said;
  asio::steady_timer timer;  // its end, or its being cancelled, wakes who waits
};

}  // namespace

// The running program, and the pipes to it. The coroutines that serve it hold it.
struct Program::Child {
  explicit Child(const asio::any_io_executor& executor)
      : input(executor), output(executor), ended(executor) {}
  pid_t pid = -1;
  asio::posix::stream_descriptor input, output, ended;  // `ended`: a pidfd
  bool reaped = false;
  int status = 0;
  bool answered = false;
  bool writing = false;
  std::uint64_t written = 0;
  std::deque<std::shared_ptr<Open>> waiting;  // to be written
  std::map<std::uint64_t, std::shared_ptr<Open>> open;
  std::deque<std::string> notes;  // lines that want no answer
  std::string heard;

  // It and what it started; while it is not reaped nobody else has its number.
  void kill_all() const {
    if (pid > 0 && !reaped) ::kill(-pid, SIGKILL);
  }
  void reap() {
    if (pid <= 0 || reaped) return;
    kill_all();
    ::waitpid(pid, &status, 0);
    reaped = true;
  }
};

class Program::Keeper : public std::enable_shared_from_this<Keeper> {
 public:
  Keeper(Settings settings, Tools tools)
      : settings_(std::move(settings)), tools_(std::move(tools)) {}

  asio::awaitable<ProgramSaid> ask(const LineOf& line_of) {
    const auto now = steady_clock::now();
    if (!child_ && now < start_at_)
      co_return Deferred{
          .wait =
              Duration{
                  std::chrono::duration_cast<std::chrono::microseconds>(start_at_ - now).count()},
          .why = "the program has ended and is not started again yet"};
    if (!child_ && !start()) co_return Deferred{.why = "the program cannot be started"};

    const std::uint64_t id = ++last_id_;
    const std::shared_ptr<Child> child = child_;
    const auto open = std::make_shared<Open>(tools_.executor);
    open->line = line_of(id) + "\n";
    child->open.emplace(id, open);
    child->waiting.push_back(open);
    write(child);
    open->timer.expires_after(of(settings_.answer_within));
    co_await open->timer.async_wait(quietly);
    // Answered, or it took too long, or this coroutine was cancelled.
    if (open->said) co_return *std::move(open->said);
    child->open.erase(id);
    if (!open->begun) {
      std::erase(child->waiting, open);
      co_return Deferred{.why = "the program does not read what it is asked"};
    }
    child->notes.push_back(R"({"do":"cancel","id":)" + std::to_string(id) + "}\n");
    write(child);
    co_return Unknown{"the program did not answer"};
  }

  void note(const std::string& line) {
    if (!child_) return;
    child_->notes.push_back(line + "\n");
    write(child_);
  }

  void stop() {
    if (!child_) return;
    const std::shared_ptr<Child> child = std::exchange(child_, nullptr);
    asio::error_code ignored;
    child->input.close(ignored);
    pollfd end{child->ended.native_handle(), POLLIN, 0};
    while (::poll(&end, 1, static_cast<int>(settings_.stop_within.us / 1000)) < 0 &&
           errno == EINTR) {
    }
    child->reap();
    child->output.close(ignored);
    child->ended.close(ignored);
    end_all(*child, UINT64_MAX);
  }

 private:
  bool start() {
    int to[2], from[2];
    if (::pipe2(to, O_CLOEXEC) != 0) return false;
    if (::pipe2(from, O_CLOEXEC) != 0) return ::close(to[0]), ::close(to[1]), false;
    auto child = std::make_shared<Child>(tools_.executor);
    const int error = spawn(*child, to[0], from[1]);
    ::close(to[0]);
    ::close(from[1]);
    const int pidfd = error == 0 ? ::pidfd_open(child->pid, 0) : -1;
    if (pidfd < 0) {
      ::close(to[1]);
      ::close(from[0]);
      child->reap();
      log(Level::Problem,
          "the program cannot be started: " + std::string(std::strerror(error ? error : errno)));
      wait_before_next(false);
      return false;
    }
    for (const int fd : {to[1], from[0]}) ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
    child->input.assign(to[1]);
    child->output.assign(from[0]);
    child->ended.assign(pidfd);
    child_ = child;
    asio::co_spawn(tools_.executor, read(shared_from_this(), child), asio::detached);
    asio::co_spawn(tools_.executor, await_end(child), asio::detached);
    return true;
  }

  // In a group of its own, so that a Ctrl-C for us is none for it, and with no descriptor of ours.
  int spawn(Child& child, int input, int output) const {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    posix_spawn_file_actions_addclosefrom_np(&actions, 3);
    if (!settings_.folder.empty())
      posix_spawn_file_actions_addchdir_np(&actions, settings_.folder.c_str());
    sigset_t every_signal, no_signal;
    sigfillset(&every_signal);
    sigemptyset(&no_signal);
    posix_spawnattr_setsigdefault(&attributes, &every_signal);  // we may ignore SIGPIPE
    posix_spawnattr_setsigmask(&attributes, &no_signal);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(
        &attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
    std::string shell = "/bin/sh", option = "-c", command = settings_.command;
    char* arguments[] = {shell.data(), option.data(), command.data(), nullptr};
    const int error =
        ::posix_spawn(&child.pid, shell.c_str(), &actions, &attributes, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    if (error != 0) child.pid = -1;
    return error;
  }

  void write(const std::shared_ptr<Child>& child) {
    if (child->writing || !child->input.is_open()) return;
    child->writing = true;
    asio::co_spawn(tools_.executor, write_all(child), asio::detached);
  }

  // A program that does not read stops this here, and what is not written yet can be taken back.
  static asio::awaitable<void> write_all(std::shared_ptr<Child> child) {
    while (!child->waiting.empty() || !child->notes.empty()) {
      std::string line;
      if (!child->notes.empty()) {
        line = std::move(child->notes.front());
        child->notes.pop_front();
      } else {
        const std::shared_ptr<Open> open = std::move(child->waiting.front());
        child->waiting.pop_front();
        open->begun = true;
        open->begins = child->written;
        line = std::move(open->line);
      }
      for (std::size_t at = 0; at < line.size();) {
        const auto [error, size] = co_await child->input.async_write_some(
            asio::buffer(line.data() + at, line.size() - at), quietly);
        if (error) co_return;  // whoever reads its answers finds that it has ended
        at += size;
        child->written += size;
      }
    }
    child->writing = false;
  }

  static asio::awaitable<void> read(std::shared_ptr<Keeper> keeper, std::shared_ptr<Child> child) {
    bool fine = true;
    while (fine) {
      const auto [error, size] = co_await asio::async_read_until(
          child->output, asio::dynamic_buffer(child->heard, longest_answer), '\n', quietly);
      fine = error ? error != asio::error::not_found && keeper->drain(*child)
                   : keeper->take(*child, size);
      if (error && error != asio::error::not_found) break;
    }
    keeper->end(child, fine);
  }

  // Takes the line that ends at `size`. False: it is no answer.
  bool take(Child& child, std::size_t size) {
    const auto answer = answer_of(std::string_view(child.heard).substr(0, size), tools_.now());
    child.heard.erase(0, size);
    if (!answer) return false;
    child.answered = true;
    const auto found = child.open.find(answer->id);
    if (found == child.open.end()) return true;  // nobody waits for it any more
    found->second->said = answer->said;
    found->second->timer.cancel();
    child.open.erase(found);
    return true;
  }

  // What it said before it ended and was not read yet.
  bool drain(Child& child) {
    char bytes[4096];
    while (child.heard.size() < longest_answer) {
      const ssize_t size = ::read(child.output.native_handle(), bytes, sizeof bytes);
      if (size <= 0) break;
      child.heard.append(bytes, static_cast<std::size_t>(size));
    }
    for (std::size_t end; (end = child.heard.find('\n')) != std::string::npos;)
      if (!take(child, end + 1)) return false;
    return true;
  }

  static asio::awaitable<void> await_end(std::shared_ptr<Child> child) {
    co_await child->ended.async_wait(asio::posix::descriptor_base::wait_read, quietly);
    if (!child->ended.is_open()) co_return;
    child->reap();
    asio::error_code ignored;
    child->output.cancel(ignored);  // somebody else may hold its other end
  }

  void end(const std::shared_ptr<Child>& child, bool fine) {
    if (child != child_) return;  // it was stopped
    child_ = nullptr;
    // What it has not read it surely has not taken.
    int unread = 0;
    if (::ioctl(child->input.native_handle(), FIONREAD, &unread) != 0) unread = 0;
    child->kill_all();
    child->reap();
    asio::error_code ignored;
    child->input.close(ignored);
    child->output.close(ignored);
    child->ended.close(ignored);
    wait_before_next(child->answered);
    std::string what = !fine                      ? "the program wrote a line that is no answer"
                       : WIFEXITED(child->status) ? "the program ended with status " +
                                                        std::to_string(WEXITSTATUS(child->status))
                                                  : "the program was ended by a signal";
    log(Level::Warning, what + "; it is started again in " + to_string(wait_));
    end_all(*child, child->written - static_cast<std::uint64_t>(unread));
  }

  // `read`: so many bytes the program has read.
  static void end_all(Child& child, std::uint64_t read) {
    for (auto& [id, open] : child.open) {
      if (!open->begun || open->begins >= read)
        open->said = Deferred{.why = "the program ended before it read what it was asked"};
      else
        open->said = Unknown{"the program ended without an answer"};
      open->timer.cancel();
    }
    child.open.clear();
    child.waiting.clear();
  }

  void wait_before_next(bool answered) {
    wait_ = answered || wait_ == Duration{} ? first_wait
                                            : std::min(Duration{2 * wait_.us}, longest_wait);
    start_at_ = steady_clock::now() + of(wait_);
  }
  void log(Level level, const std::string& text) const {
    if (tools_.log) tools_.log(level, text);
  }

  Settings settings_;
  Tools tools_;
  std::shared_ptr<Child> child_;
  std::uint64_t last_id_ = 0;
  Duration wait_;
  steady_clock::time_point start_at_;
};

Program::Program(Settings settings, Tools tools)
    : keeper_(std::make_shared<Keeper>(std::move(settings), std::move(tools))) {}

Program::~Program() { keeper_->stop(); }

asio::awaitable<Outcome> Program::ask(const LineOf& line_of) {
  ProgramSaid said = co_await keeper_->ask(line_of);
  if (auto* const outcome = std::get_if<Outcome>(&said)) co_return std::move(*outcome);
  co_return Unknown{"the program answered with something else"};
}

asio::awaitable<std::optional<Received>> Program::hear(const LineOf& line_of) {
  ProgramSaid said = co_await keeper_->ask(line_of);
  std::optional<Received> received;
  if (auto* const told = std::get_if<Received>(&said)) received = std::move(*told);
  co_return received;
}

void Program::note(const std::string& line) { keeper_->note(line); }

}  // namespace koi::connectors
