#include "serve/announcements.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "deploy/files.h"
#include "model/partition.h"
#include "runtime/decode.h"
#include "serve/telling.h"

namespace koi::serve {

namespace {

constexpr std::size_t customers_in_a_slice = 500;
constexpr std::size_t tail_rows_at_once = 4096;
// The file of one that is told, and of one that was: its first line says when it came, in
// microseconds; behind that stands what it was read from.
constexpr std::string_view is_told = ".event", was_told = ".told";
constexpr std::size_t longest_announcement = runtime::longest_line + 64;

}  // namespace

// --- Coming in ----------------------------------------------------------------------------------

Result<std::unique_ptr<Announcements>> Announcements::open(std::filesystem::path folder,
                                                           AnnouncementsWorld world) {
  std::unique_ptr<Announcements> made(new Announcements(std::move(folder), std::move(world)));
  KOI_TRY(deploy::make_folder(made->folder_));
  KOI_TRY(made->read_folder());
  return made;
}

Announcements::~Announcements() { stop(); }

Result<void> Announcements::read_folder() {
  std::vector<std::pair<Timestamp, Waiting>> found;
  std::error_code error;
  std::vector<std::filesystem::path> files;
  for (std::filesystem::directory_iterator at(folder_, error), end; !error && at != end;
       at.increment(error))
    files.push_back(at->path());
  if (error) return Error{"unreadable", folder_.string() + ": " + error.message()};
  runtime::Decoder decoder(world_.plan);
  runtime::Incoming incoming;
  for (const std::filesystem::path& path : files) {
    const std::string kind = path.extension().string();
    if (kind != is_told && kind != was_told) continue;
    KOI_LET(const auto bytes, deploy::read_whole(path, longest_announcement));
    if (!bytes) continue;
    Timestamp came;
    const std::size_t line = std::min(bytes->find('\n'), bytes->size());
    const auto read = std::from_chars(bytes->data(), bytes->data() + line, came.us);
    if (read.ec != std::errc() || read.ptr != bytes->data() + line)
      return Error{"corrupt", path.string() + " is damaged; remove it, and send that event again"};
    if (kind == was_told && came + world_.plan.policy.id_horizon < world_.clock()) {
      std::filesystem::remove(path, error);
      continue;
    }
    const std::string name = path.stem().string();
    known_.insert(name);
    if (kind == was_told) continue;
    const std::string_view text = std::string_view(*bytes).substr(line + 1);
    if (decoder.decode(text, incoming) != runtime::Decoded::Event || !incoming.to_everyone) {
      world_.say(channel::Level::Warning,
                 "an event to everyone is not told to the end: the rules have it no more");
      std::filesystem::rename(path, file(name, was_told), error);
      continue;
    }
    incoming.event.time = std::min(incoming.event.time, came);
    found.emplace_back(came, Waiting{name, std::move(incoming.event)});
    incoming.event = Event();
  }
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) {
    return std::pair(a.first, std::string_view(a.second.name)) <
           std::pair(b.first, std::string_view(b.second.name));
  });
  for (auto& [came, waiting] : found) waiting_.push_back(std::move(waiting));
  return {};
}

Result<core::Standing> Announcements::take(const Event& event, std::string_view text) {
  const std::string name = to_hex(hash128(event.id));
  if (known_.contains(name)) return core::Standing::Duplicate;
  const Timestamp now = world_.clock();
  const bool too_late = event.time < now - world_.plan.policy.lateness;
  KOI_TRY(deploy::write_whole(file(name, too_late ? was_told : is_told),
                              std::to_string(now.us) + "\n" + std::string(text)));
  known_.insert(name);
  if (too_late) return core::Standing::TooLate;
  Waiting waiting{name, event};
  waiting.event.time = std::min(event.time, now);  // or it would fire the future
  {
    const std::lock_guard lock(mutex_);
    waiting_.push_back(std::move(waiting));
  }
  changed_.notify_all();
  return core::Standing::Applied;
}

// --- Telling ------------------------------------------------------------------------------------

void Announcements::start() {
  thread_ = std::thread([this] { run(); });
}

void Announcements::stop() {
  {
    const std::lock_guard lock(mutex_);
    is_over_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

std::size_t Announcements::pending() const {
  const std::lock_guard lock(mutex_);
  return waiting_.size();
}

// False: it is over.
bool Announcements::rest(std::chrono::milliseconds time) {
  std::unique_lock lock(mutex_);
  return !changed_.wait_for(lock, time, [&] { return is_over_; });
}

void Announcements::run() {
  for (;;) {
    Waiting* next = nullptr;  // stays where it is while others are put behind it
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return is_over_ || !waiting_.empty(); });
      if (is_over_) return;
      next = &waiting_.front();
    }
    const auto told = tell(next->event);
    if (!told) {
      if (!rest(std::chrono::milliseconds(0))) return;
      world_.say(channel::Level::Problem,
                 "an event to everyone is not told to all yet: " + told.error().what);
      if (!rest(std::chrono::seconds(2))) return;
      continue;
    }
    std::error_code error;
    std::filesystem::rename(file(next->name, is_told), file(next->name, was_told), error);
    world_.say(channel::Level::Info, "`" + world_.plan.schema[next->event.type].symbol.name +
                                         "`, an event to everyone, "
                                         "was told to " +
                                         std::to_string(*told) + " customers");
    const std::lock_guard lock(mutex_);
    waiting_.pop_front();
  }
}

// Whose inputs stand in the journal behind the last checkpoint: the store may not know them yet.
Result<void> Announcements::since_checkpoint(store::Group group,
                                             std::vector<std::set<std::string>>& into) const {
  KOI_LET(const store::Position stored, world_.store.position(group));
  KOI_LET(const store::Position last, world_.journal.last(group));
  for (store::Position from = stored + 1; from <= last;) {
    KOI_LET(const auto rows, world_.journal.read(group, from, tail_rows_at_once));
    if (rows.empty()) break;
    for (const store::Read& each : rows)
      if (const auto customer = durable::customer_in(each.row.bytes); !customer.empty())
        into[each.row.partition].emplace(customer);
    from = rows.back().position + 1;
  }
  return {};
}

// Gives to how many; who came later than it finds that out by himself.
Result<std::uint64_t> Announcements::tell(Event event) {
  if (world_.places) {
    KOI_LET(event, world_.places->found(std::move(event)));
  }
  std::vector<std::set<std::string>> fresh(partition_count);
  for (store::Group group = 0; group < world_.groups.count; ++group)
    KOI_TRY(since_checkpoint(group, fresh));
  std::uint64_t told = 0;
  std::vector<std::string> slice;
  const auto hand_in = [&]() -> Result<void> {
    if (slice.empty()) return {};
    KOI_TRY(submit(event, slice));
    told += slice.size();
    slice.clear();
    return {};
  };
  for (std::size_t i = 0; i < partition_count; ++i) {
    const auto partition = static_cast<Partition>(i);
    for (std::string after;;) {
      KOI_LET(const auto saved, world_.store.scan(partition, after, customers_in_a_slice));
      if (saved.empty()) break;
      for (const store::Saved& each : saved) {
        fresh[i].erase(each.customer);
        slice.push_back(each.customer);
        if (slice.size() >= customers_in_a_slice) KOI_TRY(hand_in());
      }
      after = saved.back().customer;
    }
    for (const std::string& customer : fresh[i]) {
      slice.push_back(customer);
      if (slice.size() >= customers_in_a_slice) KOI_TRY(hand_in());
    }
  }
  KOI_TRY(hand_in());
  return told;
}

// When it returns, they have seen it.
Result<void> Announcements::submit(const Event& event, const std::vector<std::string>& customers) {
  return serve::tell(
      world_.writers,
      [&] {
        std::vector<durable::Given> inputs;
        for (const std::string& customer : customers) {
          Event own = event;
          own.customer = customer;
          inputs.emplace_back(std::move(own));
        }
        return inputs;
      },
      [this] { return rest(until_next_try); });
}

}  // namespace koi::serve
