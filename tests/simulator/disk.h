// Disk: files in memory under SQLite, that do what disks do when the power goes. What was synced
// stays. Of what was not, a kill of the process loses nothing and a power cut any part: whole
// writes, or sectors of them, in any order. It can be full, and reads, writes and syncs can fail.
//
// The engine's files find it by their path (Mount), and know nothing of it. A file in a folder
// within the mounted one has its name from there on ("build/state-0.db"), and an empty file in the
// file system itself: who removes that folder removes the file with it, for good.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "chance.h"

namespace koi::simulator {

enum class Death : std::uint8_t { Kill, PowerCut };

class Disk {
 public:
  explicit Disk(Chance chance) : chance_(chance) {}
  Disk(const Disk&) = delete;

  // --- Faults

  enum class Act : std::uint8_t { Read, Write, Sync };
  // The n-th act of that kind from now on fails, once; 0: none does.
  void fail(Act act, std::uint64_t in) { fail_in_[static_cast<std::size_t>(act)] = in; }
  void heal() { fail_in_[0] = fail_in_[1] = fail_in_[2] = 0; }
  bool has_failed() const { return failed_; }  // since the last restart
  // Nothing more fits.
  void fill(bool full) { full_ = full; }
  bool is_full() const { return full_; }
  // Of files of which this holds, syncs do nothing and say that they did.
  void ignore_syncs(std::function<bool(std::string_view name)> of) { ignored_ = std::move(of); }

  // --- The end of the process

  // At the n-th write, sync or removal from now on the process is gone: whatever it does after that
  // comes to nothing.
  void die_in(std::uint64_t acts) { die_in_ = acts; }
  void die() {
    if (!std::exchange(dead_, true) && on_death_) on_death_();
  }
  // Called at that moment.
  void on_death(std::function<void()> heard) { on_death_ = std::move(heard); }
  bool is_dead() const { return dead_; }
  // What the next process finds. Every file must be closed.
  void restart(Death death);

  // --- Copies: of what is safe on the disk of those files at this moment

  using Copy = std::map<std::string, std::string, std::less<>>;
  Copy copy(const std::function<bool(std::string_view name)>& which) const;
  // In place of what these files are; only between two processes.
  void put_back(const std::function<bool(std::string_view name)>& which, const Copy& copy);

  std::uint64_t acts() const { return acts_; }  // writes, syncs and removals so far
  // Of all bytes of a file, as the process sees it; empty where there is none.
  std::string bytes(std::string_view name) const;

 private:
  friend struct Vfs;
  struct Change {
    bool is_write = true;
    std::uint64_t at = 0;  // of a write; else the size that it is cut to
    std::string bytes;
  };
  struct Node {
    std::string name;
    std::string now, safe;        // as the process sees it; as it is after a power cut …
    std::vector<Change> changes;  // … if none of these arrives
    bool is_safe = false;         // its name is
    bool syncs_folder = false;    // with its first sync, as SQLite does it for logs that it makes
    // Who holds which lock, by the address of the open file; for equality alone.
    int shared = 0;
    const void* reserved = nullptr;
    const void* pending = nullptr;
    const void* exclusive = nullptr;
    // Memory that its connections share.
    int mapped = 0;  // connections
    std::vector<std::unique_ptr<char[]>> regions;
    struct Slot {
      int shared = 0;
      bool exclusive = false;
    };
    Slot slots[8];
  };

  bool fails(Act act);
  // False where the act does not happen any more.
  bool act();
  static void apply(std::string& bytes, const Change& change);
  void settle(Node& node);  // what was not synced, at a power cut

  std::shared_ptr<Node> open(std::string_view name, bool create);
  bool write(Node& node, std::string_view bytes, std::uint64_t at);
  bool truncate(Node& node, std::uint64_t size);
  bool sync(Node& node);
  bool remove(const std::string& name, bool durably);

  Chance chance_;
  std::map<std::string, std::shared_ptr<Node>, std::less<>> files_;
  Copy removed_;  // names whose removal a power cut may undo
  std::function<bool(std::string_view)> ignored_;
  std::function<void()> on_death_;
  std::uint64_t fail_in_[3] = {0, 0, 0};
  std::uint64_t die_in_ = 0, acts_ = 0;
  bool full_ = false, dead_ = false, failed_ = false;
};

// While it lives, what SQLite opens in that folder is on the disk.
class Mount {
 public:
  Mount(std::filesystem::path folder, Disk& disk);
  ~Mount();
  Mount(const Mount&) = delete;

 private:
  std::string folder_;
};

}  // namespace koi::simulator
