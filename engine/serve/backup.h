// Backup: a data directory as of one cut, copied while it is served; and a data directory made of
// such a copy. Nothing is held up by it. The customers are copied first and the journal behind
// them, so the copy is what a kill at the moment of the journal's would have left; then what lies
// between the two is decided in the copy and written back, so that who starts on it decides nothing
// again, whatever Koi that is.
//
// A restored deployment begins held: it takes nothing in and sends nothing, until somebody opens
// it. Whatever was open then counts as attempted, because the deployment that was lost may have
// gone on after the cut.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "deploy/deploy.h"
#include "store/directory.h"
#include "store/groups.h"

namespace koi::serve {

struct Backup {
  Timestamp taken;                         // all that was acknowledged before is in it
  std::vector<store::Position> positions;  // by group: the journal's last one in it
  struct File {
    std::string name;  // in the folder, with `/`
    std::uint64_t bytes = 0;
    std::string sha256;  // hexadecimal
    friend bool operator==(const File&, const File&) = default;
  };
  std::vector<File> files{};  // in the order of their names
  std::uint64_t bytes() const;
  friend bool operator==(const Backup&, const Backup&) = default;
};

// How it is gone about.
struct BackupWays {
  std::uint64_t memory = 256u << 20;                          // that deciding may take
  std::function<bool()> gives_up = [] { return false; };      // asked now and then
  std::function<void(std::string)> say = [](std::string) {};  // how it is coming on
};

// Copies the data directory at `data`, whose lock the caller's process must have, to the folder
// `to`, whose parent must exist; no deploy may be made meanwhile. Beside its place first: the
// folder is there when it is whole and durable, with a file backup.json that names all others and
// their hashes. Errors: "there" where it exists already, "full" where it has no room, "deploy"
// where one was broken off, "stopping", "unwritable", and those of the directory's files.
Result<Backup> back_up(const std::filesystem::path& data, const std::filesystem::path& to,
                       const BackupWays& ways);
// What a backup's folder holds. Reads backup.json alone. Errors: "missing" where it is none,
// "newer", "corrupt".
Result<Backup> read_backup(const std::filesystem::path& folder);
// Makes a data directory of a backup, held; `data` must not exist, or be empty. Each file is
// compared with its hash. Errors: "there", "corrupt" where something is missing or another, "full",
// "unwritable", and those of read_backup().
Result<Backup> restore(const std::filesystem::path& folder, const std::filesystem::path& data,
                       Timestamp now);

// Where a directory was restored and nobody has opened it yet: when the backup was taken. Errors
// "corrupt" and "unreadable".
Result<std::optional<Timestamp>> held_since(const store::Directory& directory);
// It is opened; durable when this returns. Errors "full" and "unwritable".
Result<void> mark_opened(const store::Directory& directory, Timestamp now,
                         const deploy::Said& said);

// For people.
std::string told(const Backup& backup);

}  // namespace koi::serve
