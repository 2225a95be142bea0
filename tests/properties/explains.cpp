// Lives whole histories as a server does, over a journal, and answers questions about them.
//
//   koi-explains FOLDER...     each with world.koi, events.ndjson (by time), and questions: a line
//                              each, of a customer, a campaign and an instant in microseconds, with
//                              tabs between
//
// Prints an explanation a line, or {"error":CODE}, in the order of the folders and questions.
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>

#include "base/scratch.h"
#include "deploy/deploy.h"
#include "durable/writers.h"
#include "runtime/decode.h"
#include "serve/explain.h"
#include "store/memory.h"

namespace {

using namespace koi;
namespace fs = std::filesystem;

constexpr store::Groups groups{2};

std::string text_of(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

// A deployment whose clock goes by its events.
struct World {
  explicit World(const fs::path& folder) {
    const deploy::Bundle bundle{1, {{"world.koi", text_of(folder / "world.koi")}}};
    const deploy::Site site{.directory = directory,
                            .journal = journal,
                            .store = states,
                            .groups = groups,
                            .deeds = [](const plan::Plan&) -> std::unique_ptr<durable::Deeds> {
                              return std::make_unique<durable::Nowhere>();
                            },
                            .clock = [] { return Timestamp{}; },
                            .progress = {},
                            .walk = {}};
    must(deploy::deploy(site, bundle));
    const deploy::Live live = must(deploy::live(directory));
    const auto writers = must(durable::Writers::open(
        {live.plan, live.rules, journal, states, groups, deeds, [this] { return now; }}, {}));
    runtime::Decoder decoder(live.plan);
    runtime::Incoming incoming;
    std::istringstream events(text_of(folder / "events.ndjson"));
    for (std::string line; std::getline(events, line);) {
      KOI_ASSERT(decoder.decode(line, incoming) == runtime::Decoded::Event);
      now = incoming.event.time;
      must(writers->submit({incoming.event}, {}));
      settle(*writers);
    }
  }

  template <class T>
  static T must(Result<T> result) {
    if (!result) {
      std::cerr << result.error().code << ": " << result.error().what << "\n";
      std::exit(2);
    }
    if constexpr (!std::is_void_v<T>) return *std::move(result);
  }
  static void settle(durable::Writers& writers) {
    while (must(writers.commit()))
      for (store::Group group = 0; group < groups.count; ++group)
        while (must(writers.step(group))) {
        }
  }

  Scratch scratch;
  store::Directory directory = *store::Directory::open(scratch / "data", {.reserve = 1});
  store::MemoryJournal journal{groups, 1};
  store::MemoryStore states{groups};
  durable::Nowhere deeds;  // every message is on its way for good
  Timestamp now;
};

}  // namespace

int main(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    const fs::path folder = argv[i];
    const World world(folder);
    std::istringstream questions(text_of(folder / "questions"));
    for (std::string line; std::getline(questions, line);) {
      const std::size_t first = line.find('\t'), second = line.find('\t', first + 1);
      const serve::Question question{line.substr(0, first),
                                     line.substr(first + 1, second - first - 1),
                                     Timestamp{std::stoll(line.substr(second + 1))}};
      const auto answer = serve::explain(world.directory, world.journal, groups, question);
      std::cout << (answer ? *answer : "{\"error\":\"" + answer.error().code + "\"}\n");
    }
  }
  return 0;
}
