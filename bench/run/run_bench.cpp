// What docs/performance.md says of `koi run`, as one Markdown table of ratios measured in one run:
//   decoding a line into the engine's event, against simdjson's DOM reading every field of it;
//   `koi run` over the shop, in events for each second of a core, and bytes for each customer.
// Usage: koi-bench [EVENTS.ndjson]; without a file, 1,000,000 events of 100,000 customers are made.
#include <fcntl.h>
#include <simdjson.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <set>
#include <string>
#include <vector>

#include "check/check.h"
#include "compile/compile.h"
#include "lang/parse.h"
#include "runtime/decode.h"

extern char** environ;

namespace {

namespace fs = std::filesystem;

struct Child {
  bool done = false;
  double wall = 0, cpu = 0;  // seconds
  double peak_bytes = 0;
};

// Runs a command whose output goes nowhere, and measures it.
Child run(const std::vector<std::string>& command, const char* output = "/dev/null") {
  std::vector<char*> arguments;
  for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  const auto begin = std::chrono::steady_clock::now();
  pid_t child = 0;
  Child result;
  if (posix_spawnp(&child, arguments[0], &actions, nullptr, arguments.data(), environ) == 0) {
    int status = 0;
    rusage usage{};
    wait4(child, &status, 0, &usage);
    const auto seconds = [](const timeval& t) {
      return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
    };
    result.done = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    result.wall = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    result.cpu = seconds(usage.ru_utime) + seconds(usage.ru_stime);
    result.peak_bytes = static_cast<double>(usage.ru_maxrss) * 1024;
  }
  posix_spawn_file_actions_destroy(&actions);
  return result;
}

koi::plan::Plan shop() {
  std::vector<koi::Source> sources;
  for (const auto& entry : fs::directory_iterator(KOI_BENCH_PROGRAM)) {
    if (entry.path().extension() != ".koi") continue;
    std::ifstream in(entry.path(), std::ios::binary);
    sources.emplace_back(entry.path().string(),
                         std::string(std::istreambuf_iterator<char>(in), {}));
  }
  std::vector<koi::lang::ast::File> files;
  for (std::size_t i = 0; i < sources.size(); ++i)
    files.push_back(
        koi::lang::parse(sources[i], static_cast<std::uint32_t>(i), koi::Language::English).file);
  const auto checked = koi::check::check(files);
  KOI_ASSERT(checked.ok());
  return koi::compile::compile(checked.program, 1);
}

volatile std::size_t sink;

// Lines a second of processor time: the median of five rounds of each, in turns.
template <class A, class B>
std::pair<double, double> compare(std::size_t lines, A&& a, B&& b) {
  std::vector<double> left, right;
  const auto time = [&](auto& work) {
    timespec begin{}, end{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &begin);
    sink = work();
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &end);
    return static_cast<double>(lines) / (static_cast<double>(end.tv_sec - begin.tv_sec) +
                                         static_cast<double>(end.tv_nsec - begin.tv_nsec) / 1e9);
  };
  for (int round = 0; round < 6; ++round) {
    const double l = time(a), r = time(b);
    if (round == 0) continue;  // warms up
    left.push_back(l);
    right.push_back(r);
  }
  std::sort(left.begin(), left.end());
  std::sort(right.begin(), right.end());
  return {left[2], right[2]};
}

// Everything of a line as simdjson gives it, by type.
std::size_t read_every_field(simdjson::dom::element element) {
  switch (element.type()) {
    case simdjson::dom::element_type::OBJECT: {
      std::size_t sum = 0;
      for (const auto member : simdjson::dom::object(element))
        sum += member.key.size() + read_every_field(member.value);
      return sum;
    }
    case simdjson::dom::element_type::ARRAY: {
      std::size_t sum = 0;
      for (const auto each : simdjson::dom::array(element)) sum += read_every_field(each);
      return sum;
    }
    case simdjson::dom::element_type::STRING: return std::string_view(element).size();
    case simdjson::dom::element_type::INT64: return static_cast<std::size_t>(std::int64_t(element));
    case simdjson::dom::element_type::DOUBLE: return static_cast<std::size_t>(double(element));
    default: return 1;
  }
}

std::string processor() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);)
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  return "an unknown processor";
}

void row(const char* what, const std::string& measured, const std::string& wanted, bool reached) {
  std::printf("| %s | %s | %s | %s |\n", what, measured.c_str(), wanted.c_str(),
              reached ? "yes" : "no");
}

std::string text(const char* format, double value) {
  char out[64];
  std::snprintf(out, sizeof out, format, value);
  return out;
}

}  // namespace

int main(int count, char** arguments) {
  std::string events = count > 1 ? arguments[1] : "";
  if (events.empty()) {
    events = std::string(KOI_BENCH_FOLDER) + "/bench-events.ndjson";
    if (!fs::exists(events)) {
      std::fprintf(stderr, "making 1,000,000 events of 100,000 customers in %s ...\n",
                   events.c_str());
      const std::string half_made = events + ".part";
      if (!run({"python3", KOI_BENCH_GENERATOR, "--customers", "100000", "--events", "1000000"},
               half_made.c_str())
               .done) {
        std::fprintf(
            stderr,
            "koi-bench: the events could not be made; python3 is needed, and 200 MB on the disk\n");
        return 2;
      }
      fs::rename(half_made, events);
    }
  }

  // The children first: a child's peak is never less than its parent's was when it began.
  const auto koi_run = [&](const std::string& file, const char* threads, const char* effects = "") {
    std::vector<std::string> command = {KOI_BENCH_KOI,
                                        "run",
                                        KOI_BENCH_PROGRAM,
                                        "--events",
                                        file,
                                        "--threads",
                                        threads,
                                        "--quiet",
                                        "--rejects",
                                        std::string(KOI_BENCH_FOLDER) + "/bench-rejects.ndjson"};
    if (*effects != 0) command.insert(command.end(), {"--effects", effects});
    std::vector<Child> runs;
    for (int i = 0; i < 3; ++i) runs.push_back(run(command));
    for (const Child& child : runs)
      if (!child.done) {
        std::fprintf(stderr, "koi-bench: `koi run` over %s failed\n", file.c_str());
        std::exit(2);
      }
    std::sort(runs.begin(), runs.end(),
              [](const Child& a, const Child& b) { return a.cpu < b.cpu; });
    return runs[1];
  };
  const std::string nothing = std::string(KOI_BENCH_FOLDER) + "/bench-nothing.ndjson";
  std::ofstream(nothing).close();
  const Child empty = koi_run(nothing, "1");
  const Child one = koi_run(events, "1");
  const Child two = koi_run(events, "2");
  const std::string effects = std::string(KOI_BENCH_FOLDER) + "/bench-effects.ndjson";
  const Child written = koi_run(events, "1", effects.c_str());
  fs::remove(effects);

  std::ifstream in(events, std::ios::binary);
  if (!in) {
    std::fprintf(stderr, "koi-bench: %s cannot be read\n", events.c_str());
    return 2;
  }
  std::string all(std::istreambuf_iterator<char>(in), {});
  const std::size_t bytes = all.size();
  all.reserve(bytes + simdjson::SIMDJSON_PADDING);
  std::vector<std::string_view> lines;
  for (std::size_t begin = 0; begin < bytes;) {
    const std::size_t end = std::min(all.find('\n', begin), bytes);
    lines.push_back(std::string_view(all).substr(begin, end - begin));
    begin = end + 1;
  }
  const koi::plan::Plan plan = shop();
  koi::runtime::Decoder decoder(plan);
  koi::runtime::Incoming incoming;
  std::set<std::string> known;
  std::size_t accepted = 0;
  for (const std::string_view line : lines) {
    if (decoder.decode(line, incoming) != koi::runtime::Decoded::Event) continue;
    ++accepted;
    if (!incoming.subject_kind) known.insert(incoming.event.customer);
  }
  simdjson::dom::parser parser;
  const auto [theirs, ours] = compare(
      lines.size(),
      [&] {
        std::size_t sum = 0;
        for (const std::string_view line : lines) {
          simdjson::dom::element element;
          if (parser.parse(line.data(), line.size(), false).get(element) == simdjson::SUCCESS)
            sum += read_every_field(element);
        }
        return sum;
      },
      [&] {
        std::size_t sum = 0;
        for (const std::string_view line : lines)
          if (decoder.decode(line, incoming) == koi::runtime::Decoded::Event)
            sum += incoming.event.id.size();
        return sum;
      });

  const auto total = static_cast<double>(lines.size()),
             customers = static_cast<double>(known.size());
  const double per_core = total / one.cpu;
  const auto each = [&](const Child& child) {
    return (child.peak_bytes - empty.peak_bytes) / customers;
  };
  std::printf("%zu events (%zu accepted) of %zu customers, %.0f bytes a line; %s\n\n", lines.size(),
              accepted, known.size(), static_cast<double>(bytes) / total, processor().c_str());
  std::printf("| what | measured | wanted | reached |\n| --- | --- | --- | --- |\n");
  row("decoding a line, against simdjson reading every field", text("%.2f of it", ours / theirs),
      "at least 0.50", ours / theirs >= 0.5);
  row("`koi run`, events for a second of a core", text("%.0f", per_core), "at least 300000",
      per_core >= 300'000);
  row("`koi run`, peak bytes for each customer", text("%.0f", each(one)), "under 2048",
      each(one) < 2048);
  row("the same with `--effects FILE`", text("%.0f", each(written)), "under 2048",
      each(written) < 2048);
  std::printf("\n| besides | |\n| --- | --- |\n");
  std::printf("| simdjson, every field | %.2f M lines/s |\n| Koi's decoding | %.2f M lines/s |\n",
              theirs / 1e6, ours / 1e6);
  std::printf("| `koi run --threads 1` | %.2f s, %.2f s of processor |\n", one.wall, one.cpu);
  std::printf("| `koi run --threads 2` | %.2f s, %.2f s of processor |\n", two.wall, two.cpu);
  std::printf("| two threads, against one, by the clock | %.2f times as fast |\n",
              one.wall / two.wall);
  return 0;
}
