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

enum State : std::uint32_t { Resting, Stepping, Crashed };

constexpr std::array signals{SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
std::array<struct sigaction, signals.size()> before;  // what they did, and do after the mark

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

}  // namespace

// One for each group, on a line of the processor's cache of its own.
struct alignas(64) CrashWatch::Mark {
  std::atomic<std::uint64_t> position, customer;  // what is being stepped, or was at the crash
  std::atomic<std::uint32_t> state;
  std::uint32_t crashes;  // in a row at …
  std::uint64_t crashed_position, crashed_customer;

  bool is_same() const { return position == crashed_position && customer == crashed_customer; }
};

namespace {
// Of the calling thread; what a signal's handler may read.
constinit thread_local std::atomic<std::uint32_t>* of_this_thread = nullptr;
}  // namespace

void CrashWatch::note(int signal, siginfo_t* info, void*) {
  if (of_this_thread && *of_this_thread == Stepping) *of_this_thread = Crashed;
  for (std::size_t i = 0; i < signals.size(); ++i)
    if (signals[i] == signal) ::sigaction(signal, &before[i], nullptr);
  // What the processor found happens again on return; what was sent is sent again.
  if (info->si_code <= 0) ::raise(signal);
}

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
  std::unique_ptr<CrashWatch> watch(new CrashWatch(static_cast<Mark*>(mapped), bytes));
  for (store::Group group = 0; group < groups.count; ++group) {
    Mark& mark = watch->marks_[group];
    if (mark.state == Crashed) {
      mark.crashes = mark.is_same() ? mark.crashes + 1 : 1;
      mark.crashed_position = mark.position;
      mark.crashed_customer = mark.customer;
    }
    mark.state = Resting;
  }
  struct sigaction noted {};
  noted.sa_sigaction = &CrashWatch::note;
  noted.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
  for (std::size_t i = 0; i < signals.size(); ++i) {
    struct sigaction now {};
    ::sigaction(signals[i], nullptr, &now);
    if ((now.sa_flags & SA_SIGINFO) != 0 && now.sa_sigaction == &CrashWatch::note) continue;
    before[i] = now;
    ::sigaction(signals[i], &noted, nullptr);
  }
  return watch;
}

CrashWatch::~CrashWatch() { ::munmap(marks_, bytes_); }

std::optional<store::SetAside> CrashWatch::suspect(store::Group group) const {
  const Mark& mark = marks_[group];
  if (mark.crashes < 2) return std::nullopt;
  return store::SetAside{mark.crashed_position, mark.crashed_customer};
}

void CrashWatch::settled(store::Group group) { marks_[group].crashes = 0; }

void CrashWatch::stepping(store::Group group, store::SetAside what) {
  static thread_local SpareStack spare;
  static_cast<void>(spare);
  Mark& mark = marks_[group];
  mark.position.store(what.position, std::memory_order_relaxed);
  mark.customer.store(what.customer, std::memory_order_relaxed);
  mark.state.store(Stepping, std::memory_order_relaxed);
  of_this_thread = &mark.state;
}

void CrashWatch::rests(store::Group group) {
  marks_[group].state.store(Resting, std::memory_order_relaxed);
  of_this_thread = nullptr;
}

}  // namespace koi::durable
