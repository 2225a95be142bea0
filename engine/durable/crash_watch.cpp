#include "durable/crash_watch.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <memory>
#include <string>

namespace koi::durable {

namespace {

constexpr std::array signals{SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
// What they did, and do after the mark.
std::array<struct sigaction, signals.size()> actions_before;

// A stack of its own for the handler: the thread's may be what ran out.
class SpareStack {
 public:
  SpareStack() {
    stack_t stack{};
    stack.ss_sp = bytes_.get();
    stack.ss_size = size;
    ::sigaltstack(&stack, nullptr);
  }
  ~SpareStack() {
    stack_t none{};
    none.ss_flags = SS_DISABLE;
    ::sigaltstack(&none, nullptr);
  }

 private:
  static constexpr std::size_t size = 64u << 10;
  std::unique_ptr<std::byte[]> bytes_ = std::make_unique<std::byte[]>(size);
};

// Of the calling thread; what a signal's handler may read.
constinit thread_local std::atomic<std::uint32_t>* of_this_thread = nullptr;

void note(int signal, siginfo_t* info, void*) {
  if (of_this_thread && *of_this_thread == CrashWatch::Mark::Stepping)
    *of_this_thread = CrashWatch::Mark::Crashed;
  for (std::size_t i = 0; i < signals.size(); ++i)
    if (signals[i] == signal) ::sigaction(signal, &actions_before[i], nullptr);
  // What the processor found happens again on return; what was sent is sent again.
  if (info->si_code <= 0) ::raise(signal);
}

void note_signals() {
  struct sigaction noted {};
  noted.sa_sigaction = &note;
  noted.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
  for (std::size_t i = 0; i < signals.size(); ++i) {
    struct sigaction now {};
    ::sigaction(signals[i], nullptr, &now);
    if ((now.sa_flags & SA_SIGINFO) != 0 && now.sa_sigaction == &note) continue;
    actions_before[i] = now;
    ::sigaction(signals[i], &noted, nullptr);
  }
}

// Its marks are in a file that is mapped.
class Mapped final : public CrashWatch {
 public:
  explicit Mapped(std::span<Mark> marks) : CrashWatch(marks), marks_(marks) { note_signals(); }
  ~Mapped() override { ::munmap(marks_.data(), marks_.size_bytes()); }

  void stepping(store::Group group, store::SetAside what) override {
    static thread_local SpareStack spare;
    static_cast<void>(spare);
    CrashWatch::stepping(group, what);
    of_this_thread = &state(group);
  }
  void rests(store::Group group) override {
    CrashWatch::rests(group);
    of_this_thread = nullptr;
  }

 private:
  std::span<Mark> marks_;
};

// What the life before has left.
void begin_life(CrashWatch::Mark& mark) {
  if (mark.state == CrashWatch::Mark::Crashed) {
    const bool is_same =
        mark.position == mark.crashed_position && mark.customer == mark.crashed_customer;
    mark.crashes = is_same ? mark.crashes + 1 : 1;
    mark.crashed_position = mark.position;
    mark.crashed_customer = mark.customer;
  }
  mark.state = CrashWatch::Mark::Resting;
}

}  // namespace

Result<std::unique_ptr<CrashWatch>> CrashWatch::open(const store::Directory& directory,
                                                     store::Groups groups) {
  const auto path = directory.path() / "crashes";
  const std::size_t bytes = groups.count * sizeof(Mark);
  const auto unwritable = [&] {
    return Error{"unwritable", path.string() + " cannot be written: " + std::strerror(errno)};
  };
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0) return unwritable();
  struct stat known {};
  // Of another size it is another's, or was cut short: begun anew, it only costs a count.
  const bool is_ours =
      ::fstat(file, &known) == 0 && static_cast<std::size_t>(known.st_size) == bytes;
  if (!is_ours && ::ftruncate(file, 0) != 0) return ::close(file), unwritable();
  // The room is taken now: a full disk must not be found out by writing to the mapping.
  const int refused = ::posix_fallocate(file, 0, static_cast<off_t>(bytes));
  if (refused != 0) return ::close(file), errno = refused, unwritable();
  void* const mapped = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  ::close(file);
  if (mapped == MAP_FAILED) return unwritable();
  std::unique_ptr<CrashWatch> watch =
      std::make_unique<Mapped>(std::span(static_cast<Mark*>(mapped), groups.count));
  return watch;
}

CrashWatch::CrashWatch(std::span<Mark> marks) : marks_(marks) {
  for (Mark& mark : marks_) begin_life(mark);
}

std::optional<store::SetAside> CrashWatch::suspect(store::Group group) const {
  const Mark& mark = marks_[group];
  if (mark.crashes < 2) return std::nullopt;
  return store::SetAside{mark.crashed_position, mark.crashed_customer};
}

void CrashWatch::settled(store::Group group) { marks_[group].crashes = 0; }

void CrashWatch::stepping(store::Group group, store::SetAside what) {
  Mark& mark = marks_[group];
  mark.position.store(what.position, std::memory_order_relaxed);
  mark.customer.store(what.customer, std::memory_order_relaxed);
  mark.state.store(Mark::Stepping, std::memory_order_relaxed);
}

void CrashWatch::rests(store::Group group) {
  marks_[group].state.store(Mark::Resting, std::memory_order_relaxed);
}

}  // namespace koi::durable
