#include "disk.h"

#include <sqlite3.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <new>
#include <shared_mutex>
#include <utility>

#include "base/assert.h"

namespace koi::simulator {

namespace {
constexpr std::uint64_t sector = 512;
}

// --- The disk -----------------------------------------------------------------------------------

bool Disk::fails(Act act) {
  std::uint64_t& in = fail_in_[static_cast<std::size_t>(act)];
  if (in == 0 || --in > 0) return false;
  failed_ = true;
  return true;
}

bool Disk::act() {
  if (dead_) return false;
  ++acts_;
  if (die_in_ > 0 && --die_in_ == 0) die();
  return !dead_;
}

void Disk::apply(std::string& bytes, const Change& change) {
  if (!change.is_write) return bytes.resize(change.at);
  if (bytes.size() < change.at + change.bytes.size()) bytes.resize(change.at + change.bytes.size());
  bytes.replace(change.at, change.bytes.size(), change.bytes);
}

std::shared_ptr<Disk::Node> Disk::open(std::string_view name, bool create) {
  const auto found = files_.find(name);
  if (found != files_.end()) return found->second;
  if (!create || !act()) return nullptr;
  auto node = std::make_shared<Node>();
  node->name = name;
  files_.emplace(name, node);
  return node;
}

bool Disk::write(Node& node, std::string_view bytes, std::uint64_t at) {
  if (dead_) return false;
  Change change{true, at, std::string(bytes)};
  if (!act()) {
    // It was under way when the process ended.
    const std::uint64_t sectors = (bytes.size() + sector - 1) / sector;
    change.bytes.resize(std::min(bytes.size(), chance_.below(sectors + 1) * sector));
    if (change.bytes.empty()) return false;
  }
  apply(node.now, change);
  node.changes.push_back(std::move(change));
  return !dead_;
}

bool Disk::truncate(Node& node, std::uint64_t size) {
  if (!act()) return false;
  node.changes.push_back({false, size, {}});
  apply(node.now, node.changes.back());
  return true;
}

bool Disk::sync(Node& node) {
  if (!act()) return false;
  if (ignored_ && ignored_(node.name)) return true;
  for (const Change& change : node.changes) apply(node.safe, change);
  node.changes.clear();
  node.is_safe = true;
  if (std::exchange(node.syncs_folder, false)) {
    for (const auto& file : files_) file.second->is_safe = true;
    removed_.clear();
  }
  return true;
}

bool Disk::remove(const std::string& name, bool durably) {
  if (!act()) return false;
  const auto found = files_.find(name);
  if (found == files_.end()) return true;
  if (durably)
    removed_.erase(name);
  else if (found->second->is_safe)
    removed_.insert_or_assign(name, found->second->safe);
  files_.erase(found);
  return true;
}

void Disk::settle(Node& node) {
  const std::uint64_t way = chance_.below(5);
  const std::uint64_t first = chance_.below(node.changes.size() + 1);
  for (std::size_t i = 0; i < node.changes.size(); ++i) {
    const Change& change = node.changes[i];
    switch (way) {
      case 0: return;  // nothing arrived
      case 1:
        apply(node.safe, change);  // everything
        break;
      case 2:  // the first so many
        if (i < first) apply(node.safe, change);
        break;
      case 3:  // some
        if (chance_.one_in(2)) apply(node.safe, change);
        break;
      default:  // parts of some
        if (!change.is_write) {
          if (chance_.one_in(2)) apply(node.safe, change);
          break;
        }
        for (std::uint64_t at = 0; at < change.bytes.size(); at += sector)
          if (chance_.one_in(2))
            apply(node.safe, {true, change.at + at, change.bytes.substr(at, sector)});
    }
  }
}

void Disk::restart(Death death) {
  for (auto at = files_.begin(); at != files_.end();) {
    Node& node = *at->second;
    KOI_ASSERT(at->second.use_count() == 1 && node.shared == 0 && node.mapped == 0);
    if (death == Death::PowerCut) {
      const bool is_lost = !node.is_safe && chance_.one_in(2);
      settle(node);
      node.now = node.safe;
      node.changes.clear();
      if (is_lost) {
        at = files_.erase(at);
        continue;
      }
    }
    // After a kill the system still has what was not synced, and a later power cut may take it.
    ++at;
  }
  for (const auto& [name, safe] : removed_)
    if (death == Death::PowerCut && !files_.contains(name) && chance_.one_in(2)) {
      auto node = std::make_shared<Node>();
      node->name = name;
      node->now = node->safe = safe;
      node->is_safe = true;
      files_.emplace(name, std::move(node));
    }
  if (death == Death::PowerCut) removed_.clear();
  dead_ = failed_ = false;
  die_in_ = 0;
  heal();
}

Disk::Copy Disk::copy(const std::function<bool(std::string_view)>& which) const {
  Copy copy;
  for (const auto& [name, node] : files_)
    if (which(name) && node->is_safe) copy.emplace(name, node->safe);
  return copy;
}

void Disk::put_back(const std::function<bool(std::string_view)>& which, const Copy& copy) {
  std::erase_if(files_, [&](const auto& file) { return which(file.first); });
  std::erase_if(removed_, [&](const auto& file) { return which(file.first); });
  for (const auto& [name, safe] : copy) {
    auto node = std::make_shared<Node>();
    node->name = name;
    node->now = node->safe = safe;
    node->is_safe = true;
    files_.emplace(name, std::move(node));
  }
}

std::string Disk::bytes(std::string_view name) const {
  const auto found = files_.find(name);
  return found == files_.end() ? std::string() : found->second->now;
}

// --- SQLite's view of it: https://www.sqlite.org/c3ref/vfs.html, …/io_methods.html ---------------

// Disks by the folder that they are mounted at.
namespace {
std::shared_mutex mounts_mutex;
std::map<std::string, Disk*, std::less<>> mounts;

Disk* disk_of(std::string_view path, std::string& name) {
  const std::shared_lock lock(mounts_mutex);
  for (std::size_t slash = path.rfind('/'); slash != std::string_view::npos && slash > 0;
       slash = path.rfind('/', slash - 1)) {
    const auto found = mounts.find(path.substr(0, slash));
    if (found == mounts.end()) continue;
    name = path.substr(slash + 1);
    return found->second;
  }
  return nullptr;
}

bool is_within_a_folder(std::string_view name) { return name.find('/') != std::string_view::npos; }
}  // namespace

struct Vfs {
  struct File {
    sqlite3_file base;  // first: SQLite knows this alone
    Disk* disk;
    std::shared_ptr<Disk::Node> node;
    int lock;
    bool is_mapped;
    unsigned shared_slots, exclusive_slots;  // bits
  };

  static File& of(sqlite3_file* file) { return *reinterpret_cast<File*>(file); }

  static int close(sqlite3_file* raw) {
    File& file = of(raw);
    unlock(raw, SQLITE_LOCK_NONE);
    if (file.is_mapped) unmap(raw, 0);
    file.~File();
    return SQLITE_OK;
  }

  static int read(sqlite3_file* raw, void* into, int amount, sqlite3_int64 from) {
    File& file = of(raw);
    if (file.disk->dead_ || file.disk->fails(Disk::Act::Read)) return SQLITE_IOERR_READ;
    const std::string& bytes = file.node->now;
    const auto wanted = static_cast<std::size_t>(amount);
    const auto at = std::min(static_cast<std::size_t>(from), bytes.size());
    const std::size_t there = std::min(wanted, bytes.size() - at);
    std::memcpy(into, bytes.data() + at, there);
    std::memset(static_cast<char*>(into) + there, 0, wanted - there);
    return there == wanted ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
  }

  static int write(sqlite3_file* raw, const void* from, int amount, sqlite3_int64 at) {
    File& file = of(raw);
    Disk& disk = *file.disk;
    if (!disk.dead_ && disk.fails(Disk::Act::Write)) return SQLITE_IOERR_WRITE;
    const auto size = static_cast<std::size_t>(amount);
    if (disk.full_ && static_cast<std::size_t>(at) + size > file.node->now.size())
      return SQLITE_FULL;
    const bool done = disk.write(*file.node, {static_cast<const char*>(from), size},
                                 static_cast<std::uint64_t>(at));
    return done ? SQLITE_OK : SQLITE_IOERR_WRITE;
  }

  static int truncate(sqlite3_file* raw, sqlite3_int64 size) {
    File& file = of(raw);
    const bool done = file.disk->truncate(*file.node, static_cast<std::uint64_t>(size));
    return done ? SQLITE_OK : SQLITE_IOERR_TRUNCATE;
  }

  static int sync(sqlite3_file* raw, int) {
    File& file = of(raw);
    if (!file.disk->dead_ && file.disk->fails(Disk::Act::Sync)) return SQLITE_IOERR_FSYNC;
    return file.disk->sync(*file.node) ? SQLITE_OK : SQLITE_IOERR_FSYNC;
  }

  static int size(sqlite3_file* raw, sqlite3_int64* size) {
    *size = static_cast<sqlite3_int64>(of(raw).node->now.size());
    return SQLITE_OK;
  }

  // Locks of one file among its connections.
  static int lock(sqlite3_file* raw, int level) {
    File& file = of(raw);
    Disk::Node& node = *file.node;
    const auto is_others = [&](const void* owner) { return owner && owner != raw; };
    if (file.lock >= level) return SQLITE_OK;
    if (level == SQLITE_LOCK_SHARED) {
      if (is_others(node.pending) || is_others(node.exclusive)) return SQLITE_BUSY;
      ++node.shared;
    } else if (level == SQLITE_LOCK_RESERVED) {
      if (is_others(node.reserved)) return SQLITE_BUSY;
      node.reserved = raw;
    } else {
      if (is_others(node.reserved) || is_others(node.pending)) return SQLITE_BUSY;
      node.pending = raw;
      file.lock = SQLITE_LOCK_PENDING;
      if (node.shared > 1) return SQLITE_BUSY;
      node.exclusive = raw;
    }
    file.lock = level;
    return SQLITE_OK;
  }

  static int unlock(sqlite3_file* raw, int level) {
    File& file = of(raw);
    Disk::Node& node = *file.node;
    if (file.lock <= level) return SQLITE_OK;
    for (const void** owner : {&node.reserved, &node.pending, &node.exclusive})
      if (*owner == raw) *owner = nullptr;
    if (level == SQLITE_LOCK_NONE) --node.shared;
    file.lock = level;
    return SQLITE_OK;
  }

  static int is_reserved(sqlite3_file* raw, int* answer) {
    *answer = of(raw).node->reserved != nullptr ? 1 : 0;
    return SQLITE_OK;
  }

  static int control(sqlite3_file*, int, void*) { return SQLITE_NOTFOUND; }
  static int sector_size(sqlite3_file*) { return 4096; }
  static int characteristics(sqlite3_file*) { return SQLITE_IOCAP_POWERSAFE_OVERWRITE; }

  // --- Memory that connections share: the index of the write-ahead log. No process inherits it.

  static int map(sqlite3_file* raw, int region, int bytes, int extend, void volatile** into) {
    File& file = of(raw);
    auto& regions = file.node->regions;
    *into = nullptr;
    if (!file.is_mapped) {
      file.is_mapped = true;
      ++file.node->mapped;
    }
    const auto wanted = static_cast<std::size_t>(region);
    if (wanted >= regions.size() && extend == 0) return SQLITE_OK;
    while (regions.size() <= wanted)
      regions.push_back(std::make_unique<char[]>(static_cast<std::size_t>(bytes)));
    *into = regions[wanted].get();
    return SQLITE_OK;
  }

  static int lock_slots(sqlite3_file* raw, int first, int count, int flags) {
    File& file = of(raw);
    const auto slots = [&](auto each) {
      for (int i = first; i < first + count; ++i)
        if (!each(file.node->slots[i], 1u << i)) return false;
      return true;
    };
    if (flags & SQLITE_SHM_UNLOCK) {
      slots([&](Disk::Node::Slot& slot, unsigned bit) {
        if (file.shared_slots & bit) --slot.shared;
        if (file.exclusive_slots & bit) slot.exclusive = false;
        file.shared_slots &= ~bit;
        file.exclusive_slots &= ~bit;
        return true;
      });
      return SQLITE_OK;
    }
    const bool wants_all = (flags & SQLITE_SHM_EXCLUSIVE) != 0;
    const bool is_free = slots([&](Disk::Node::Slot& slot, unsigned bit) {
      if (slot.exclusive) return (file.exclusive_slots & bit) != 0;
      return !wants_all || slot.shared == ((file.shared_slots & bit) ? 1 : 0);
    });
    if (!is_free) return SQLITE_BUSY;
    slots([&](Disk::Node::Slot& slot, unsigned bit) {
      if (wants_all) {
        slot.exclusive = true;
        file.exclusive_slots |= bit;
      } else if (!(file.shared_slots & bit)) {
        ++slot.shared;
        file.shared_slots |= bit;
      }
      return true;
    });
    return SQLITE_OK;
  }

  static void barrier(sqlite3_file*) { std::atomic_thread_fence(std::memory_order_seq_cst); }

  static int unmap(sqlite3_file* raw, int) {
    File& file = of(raw);
    if (!file.is_mapped) return SQLITE_OK;
    lock_slots(raw, 0, 8, SQLITE_SHM_UNLOCK);
    file.is_mapped = false;
    if (--file.node->mapped == 0) file.node->regions.clear();
    return SQLITE_OK;
  }

  // --- Names

  // Whose folder was removed in the file system itself.
  static void forget_removed(Disk& disk, const char* path, const std::string& name) {
    if (!is_within_a_folder(name) || disk.dead_ || std::filesystem::exists(path)) return;
    disk.files_.erase(name);
    disk.removed_.erase(name);
  }

  static int open(sqlite3_vfs*, const char* path, sqlite3_file* raw, int flags, int* flags_out) {
    static const sqlite3_io_methods methods{
        .iVersion = 2,
        .xClose = close,
        .xRead = read,
        .xWrite = write,
        .xTruncate = truncate,
        .xSync = sync,
        .xFileSize = size,
        .xLock = lock,
        .xUnlock = unlock,
        .xCheckReservedLock = is_reserved,
        .xFileControl = control,
        .xSectorSize = sector_size,
        .xDeviceCharacteristics = characteristics,
        .xShmMap = map,
        .xShmLock = lock_slots,
        .xShmBarrier = barrier,
        .xShmUnmap = unmap,
        .xFetch = nullptr,
        .xUnfetch = nullptr,
    };
    raw->pMethods = nullptr;
    std::string name;
    Disk* const disk = path ? disk_of(path, name) : nullptr;
    if (!disk || disk->dead_) return SQLITE_CANTOPEN;
    forget_removed(*disk, path, name);
    auto node = disk->open(name, (flags & SQLITE_OPEN_CREATE) != 0);
    if (!node) return SQLITE_CANTOPEN;
    if (is_within_a_folder(name)) std::ofstream(path, std::ios::app);
    constexpr int logs = SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL;
    if (!node->is_safe && (flags & logs) != 0) node->syncs_folder = true;
    new (raw) File{{&methods}, disk, std::move(node), SQLITE_LOCK_NONE, false, 0, 0};
    if (flags_out) *flags_out = flags;
    return SQLITE_OK;
  }

  static int remove(sqlite3_vfs*, const char* path, int durably) {
    std::string name;
    Disk* const disk = disk_of(path, name);
    if (!disk) return SQLITE_IOERR_DELETE;
    forget_removed(*disk, path, name);
    if (!disk->files_.contains(name)) return SQLITE_IOERR_DELETE_NOENT;
    return disk->remove(name, durably != 0) ? SQLITE_OK : SQLITE_IOERR_DELETE;
  }

  static int access(sqlite3_vfs*, const char* path, int, int* answer) {
    std::string name;
    Disk* const disk = disk_of(path, name);
    if (disk) forget_removed(*disk, path, name);
    *answer = disk && disk->files_.contains(name) ? 1 : 0;
    return SQLITE_OK;
  }

  static int full_path(sqlite3_vfs*, const char* path, int size, char* out) {
    sqlite3_snprintf(size, out, "%s", path);
    return SQLITE_OK;
  }

  // Salts of write-ahead logs: nothing hangs on them but that they differ.
  static int randomness(sqlite3_vfs*, int bytes, char* out) {
    static std::atomic<std::uint64_t> seed = 1;
    Chance chance(seed.fetch_add(1));
    for (int i = 0; i < bytes; ++i) out[i] = static_cast<char>(chance.next());
    return bytes;
  }
  static int sleep(sqlite3_vfs*, int microseconds) { return microseconds; }
  static int time(sqlite3_vfs*, sqlite3_int64* now) {
    *now = 0;
    return SQLITE_OK;
  }
  static int last_error(sqlite3_vfs*, int, char*) { return 0; }

  // SQLite's default from here on: whoever opens a file by its path is served by it.
  static void install() {
    static sqlite3_vfs vfs{};
    static const int installed = [] {
      vfs.iVersion = 2;
      vfs.szOsFile = sizeof(File);
      vfs.mxPathname = 512;
      vfs.zName = "koi-simulated";
      vfs.xOpen = open;
      vfs.xDelete = remove;
      vfs.xAccess = access;
      vfs.xFullPathname = full_path;
      vfs.xRandomness = randomness;
      vfs.xSleep = sleep;
      vfs.xGetLastError = last_error;
      vfs.xCurrentTimeInt64 = time;
      return sqlite3_vfs_register(&vfs, 1);
    }();
    KOI_ASSERT(installed == SQLITE_OK);
  }
};

Mount::Mount(std::filesystem::path folder, Disk& disk) : folder_(folder.string()) {
  Vfs::install();
  const std::unique_lock lock(mounts_mutex);
  KOI_ASSERT(mounts.emplace(folder_, &disk).second);
}

Mount::~Mount() {
  const std::unique_lock lock(mounts_mutex);
  mounts.erase(folder_);
}

}  // namespace koi::simulator
