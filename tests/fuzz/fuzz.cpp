// fuzz TARGET CORPUS [--seconds N | --runs N] [--seed N] [--found FOLDER]
//
// Tries what is in the corpus, then mutations of it. Where the code was built with
// -fsanitize-coverage=trace-pc an input that goes a new way is kept and mutated further. The same
// seed and --runs do the same. What crashes, breaks a promise or takes more than ten seconds ends
// the run, its input in FOLDER/TARGET.crash.
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>

#include "targets.h"

namespace {

constexpr std::size_t largest_input = 1u << 14;
constexpr unsigned longest_run = 10;  // seconds

// Ways from one place in the code to the next, as far as their hashes tell them apart.
constexpr std::size_t ways_kept = 1u << 18;
unsigned char ways[ways_kept];
std::size_t new_ways = 0;
std::uintptr_t last_place = 0;

std::string current, crash_file;

// Async-signal-safe: plain writes of what is there already.
extern "C" void keep_and_die(int signal) {
  const int file = ::open(crash_file.c_str(), O_CREAT | O_WRONLY | O_TRUNC, 0644);
  if (file >= 0) {
    (void)!::write(file, current.data(), current.size());
    ::close(file);
  }
  constexpr std::string_view said = "fuzz: the input is kept in ";
  (void)!::write(2, said.data(), said.size());
  (void)!::write(2, crash_file.data(), crash_file.size());
  (void)!::write(2, "\n", 1);
  ::signal(signal, SIG_DFL);
  ::raise(signal);
}

class Mutator {
 public:
  explicit Mutator(unsigned seed) : random_(seed) {}

  std::size_t below(std::size_t n) { return n == 0 ? 0 : random_() % n; }

  std::string mutated(const std::vector<std::string>& corpus) {
    auto text = corpus[below(corpus.size())];
    for (auto n = 1 + below(6); n > 0; --n) mutate(text, corpus[below(corpus.size())]);
    if (text.size() > largest_input) text.resize(largest_input);
    return text;
  }

 private:
  void mutate(std::string& text, const std::string& other) {
    const auto at = below(text.size() + 1);
    const auto length = std::min(below(40), text.size() - at);
    const auto& words = koi::fuzz::dictionary();
    switch (below(9)) {
      case 0: text.insert(at, words[below(words.size())]); break;
      case 1: text.insert(at, words[below(words.size())] + words[below(words.size())]); break;
      case 2: text.erase(at, length); break;
      case 3: text.insert(at, text.substr(at, length)); break;
      case 4:
        if (at < text.size()) text[at] = static_cast<char>(random_());
        break;
      case 5: text.insert(at, 1, static_cast<char>(random_())); break;
      case 6: {
        const auto from = below(other.size() + 1);
        text.insert(at, other.substr(from, below(200)));
        break;
      }
      case 7: {  // the same many times over: nesting and chains
        const auto part = length == 0 ? words[below(words.size())] : text.substr(at, length);
        std::string many;
        for (auto n = below(200); n > 0; --n) many += part;
        text.insert(at, many);
        break;
      }
      default: {
        const auto from = below(other.size() + 1);
        text = text.substr(0, at) + other.substr(from);
        break;
      }
    }
  }

  std::mt19937 random_;
};

std::vector<std::string> read_corpus(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  for (const auto& each : std::filesystem::directory_iterator(folder)) files.push_back(each.path());
  std::sort(files.begin(), files.end());
  std::vector<std::string> corpus;
  for (const auto& file : files) {
    std::ifstream in(file, std::ios::binary);
    corpus.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
  }
  return corpus;
}

int usage() {
  std::fprintf(stderr,
               "usage: fuzz TARGET CORPUS [--seconds N | --runs N] [--seed N] [--found FOLDER]\n");
  return 2;
}

}  // namespace

// Called by what is built with -fsanitize-coverage=trace-pc, so it may call nothing itself.
extern "C" __attribute__((no_sanitize_coverage)) void __sanitizer_cov_trace_pc() {
  const auto place =
      reinterpret_cast<std::uintptr_t>(__builtin_return_address(0)) * 0x9E3779B97F4A7C15u;
  unsigned char* const seen = ways + ((place ^ (last_place >> 1)) >> 20) % ways_kept;
  if (*seen == 0) {
    *seen = 1;
    ++new_ways;
  }
  last_place = place;
}

int main(int count, char** arguments) {
  if (count < 3) return usage();
  const auto& targets = koi::fuzz::targets();
  const auto target = std::find_if(targets.begin(), targets.end(), [&](const auto& each) {
    return std::strcmp(each.name, arguments[1]) == 0;
  });
  if (target == targets.end()) return usage();
  unsigned long seconds = 0, runs = 1000, seed = 1;
  std::filesystem::path found = ".";
  for (int i = 3; i + 1 < count; i += 2) {
    const std::string_view option = arguments[i];
    if (option == "--seconds") {
      seconds = std::strtoul(arguments[i + 1], nullptr, 10);
    } else if (option == "--runs") {
      runs = std::strtoul(arguments[i + 1], nullptr, 10);
    } else if (option == "--seed") {
      seed = std::strtoul(arguments[i + 1], nullptr, 10);
    } else if (option == "--found") {
      found = arguments[i + 1];
    } else {
      return usage();
    }
  }
  auto corpus = read_corpus(arguments[2]);
  if (corpus.empty()) return usage();
  crash_file = (found / (std::string(target->name) + ".crash")).string();
  for (const int signal : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGALRM}) {
    std::signal(signal, keep_and_die);
  }

  const auto try_one = [&](const std::string& input) {
    current = input;
    last_place = 0;
    ::alarm(longest_run);
    target->run(current);
    ::alarm(0);
  };
  for (const auto& each : corpus) try_one(each);

  Mutator mutator(static_cast<unsigned>(seed));
  const auto begun = std::chrono::steady_clock::now();
  const auto is_over = [&](unsigned long done) {
    if (seconds == 0) return done >= runs;
    return std::chrono::steady_clock::now() - begun >= std::chrono::seconds(seconds);
  };
  unsigned long done = 0;
  for (; !is_over(done); ++done) {
    const auto input = mutator.mutated(corpus);
    const auto known = new_ways;
    try_one(input);
    if (new_ways > known && corpus.size() < 20'000) corpus.push_back(input);
  }
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  std::printf("%s: %lu runs, %zu ways, %zu inputs, at most %ld MB\n", target->name, done, new_ways,
              corpus.size(), used.ru_maxrss / 1024);
  // Inputs are small; whatever a target takes for one of them must be bounded.
  return used.ru_maxrss > 2L * 1024 * 1024 ? 1 : 0;
}
