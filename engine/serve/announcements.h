// Announcements: events to everyone. One is written down first; then a thread of its own tells it
// to every customer who is there, in slices beside whatever else comes in, as an event of his own
// under the same id. So the journal has it for each of them, and what follows is decided from the
// journal alone. One that was broken off is told anew after the next start: who has seen it sees it
// once.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/result.h"
#include "channel/connector.h"
#include "durable/writers.h"
#include "plan/plan.h"
#include "serve/places.h"
#include "store/groups.h"
#include "store/journal.h"
#include "store/store.h"

namespace koi::serve {

// What announcements read and write. All that is referred to must outlive them.
struct AnnouncementsWorld {
  const plan::Plan& plan;
  const store::Journal& journal;
  const store::Store& store;
  store::Groups groups;
  durable::Writers& writers;
  std::function<Timestamp()> clock;
  std::function<void(channel::Level, std::string_view)> say;
  Places* places = nullptr;  // null: no codes lead from one group to another
};

class Announcements {
 public:
  // Takes up what the folder has, which is made where it is missing. What the rules do not declare
  // any more is said and forgotten. Errors "full", "unwritable", "unreadable", "corrupt".
  static Result<std::unique_ptr<Announcements>> open(std::filesystem::path folder,
                                                     AnnouncementsWorld world);
  ~Announcements();
  Announcements(const Announcements&) = delete;

  // An event of a type that happens to everyone, and the text that it was read from. Durable when
  // it returns; told later. Duplicate: its id was seen before; TooLate: older than the rules allow.
  // Errors "full" and "unwritable". One thread's own.
  Result<core::Standing> take(const Event& event, std::string_view text);

  void start();
  // Ends after the slice at hand. The writers must still be at work.
  void stop();

  std::size_t pending() const;  // that are not told to all yet; thread-safe

 private:
  struct Waiting {
    std::string name;  // of its file, without what kind it is
    Event event;
  };
  Announcements(std::filesystem::path folder, AnnouncementsWorld world)
      : folder_(std::move(folder)), world_(std::move(world)) {}
  Result<void> read_folder();
  std::filesystem::path file(const std::string& name, std::string_view kind) const {
    return folder_ / (name + std::string(kind));
  }
  void run();
  Result<std::uint64_t> tell(Event event);
  Result<void> since_checkpoint(store::Group group, std::vector<std::set<std::string>>& into) const;
  Result<void> submit(const Event& event, const std::vector<std::string>& customers);
  bool rest(std::chrono::milliseconds time);

  const std::filesystem::path folder_;
  const AnnouncementsWorld world_;
  std::set<std::string> known_;  // names of all that came, for as long as ids are remembered
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Waiting> waiting_;
  bool is_over_ = false;
  std::thread thread_;
};

}  // namespace koi::serve
