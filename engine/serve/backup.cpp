#include "serve/backup.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <asio/io_context.hpp>
#include <cerrno>
#include <cstring>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

#include "deploy/deployment.h"
#include "deploy/files.h"
#include "runtime/clock.h"
#include "serve/data.h"
#include "serve/engine.h"
#include "store/copy.h"
#include "store/sqlite_store.h"

namespace koi::serve {

namespace fs = std::filesystem;

namespace {

using OrderedJson = nlohmann::ordered_json;

constexpr int manifest_version = 1;
constexpr std::size_t longest_json = std::size_t{64} << 20;
constexpr std::string_view manifest = "backup.json", restored = "restored.json";
// Beside the customers and the journal, in the order in which they are copied behind it: what the
// journal names is in them then.
constexpr std::string_view behind_the_journal[] = {"identifiers.db", "notes.db", "sent.db",
                                                   "timeline.db"};

Error unwritable(const fs::path& path, const std::error_code& fault) {
  const bool is_full = fault == std::errc::no_space_on_device;
  return {is_full ? "full" : "unwritable",
          path.string() + " cannot be written: " + fault.message()};
}
std::error_code last_fault() { return {errno, std::generic_category()}; }

Result<void> sync(const fs::path& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const bool is_safe = descriptor >= 0 && ::fsync(descriptor) == 0;
  const std::error_code fault = last_fault();
  if (descriptor >= 0) ::close(descriptor);
  if (!is_safe) return unwritable(path, fault);
  return {};
}

// A folder that is whole or not there: made beside its place, moved there at the end.
class Whole {
 public:
  static Result<Whole> begin(const fs::path& place) {
    std::error_code fault;
    if (fs::exists(place, fault) && !fs::is_empty(place, fault))
      return Error{"there", place.string() + " is there already; give another place"};
    Whole made(place);
    fs::remove_all(made.beside_, fault);
    if (fault) return unwritable(made.beside_, fault);
    KOI_TRY(deploy::make_folder(made.beside_));
    return made;
  }
  Whole(Whole&& other) noexcept
      : place_(other.place_), beside_(std::exchange(other.beside_, fs::path())) {}
  Whole& operator=(Whole&&) = delete;
  ~Whole() {
    std::error_code fault;
    if (!beside_.empty()) fs::remove_all(beside_, fault);
  }
  const fs::path& path() const { return beside_; }

  Result<void> end() {
    std::error_code fault;
    for (const auto& entry : fs::recursive_directory_iterator(beside_, fault))
      if (entry.is_directory()) KOI_TRY(sync(entry.path()));
    KOI_TRY(sync(beside_));
    fs::rename(beside_, place_, fault);
    if (fault) return unwritable(place_, fault);
    beside_.clear();
    return sync(fs::absolute(place_).parent_path());
  }

 private:
  explicit Whole(const fs::path& place) : place_(place), beside_(place) {
    if (!beside_.has_filename()) place_ = beside_ = beside_.parent_path();
    beside_ += ".part";
  }
  fs::path place_, beside_;
};

// A file's bytes, piece by piece, and the SHA-256 of all of them.
Result<Backup::File> read_through(const fs::path& path, std::string name,
                                  const std::function<Result<void>(std::string_view piece)>& with) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rbe"),
                                                             std::fclose);
  if (!file) return Error{"unreadable", path.string() + " cannot be read: " + std::strerror(errno)};
  const std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> digest(EVP_MD_CTX_new(),
                                                                  EVP_MD_CTX_free);
  KOI_ASSERT(digest && EVP_DigestInit_ex(digest.get(), EVP_sha256(), nullptr) == 1);
  Backup::File read{std::move(name), 0, {}};
  std::string piece(std::size_t{1} << 20, '\0');
  while (const std::size_t got = std::fread(piece.data(), 1, piece.size(), file.get())) {
    EVP_DigestUpdate(digest.get(), piece.data(), got);
    read.bytes += got;
    KOI_TRY(with(std::string_view(piece).substr(0, got)));
  }
  if (std::ferror(file.get()))
    return Error{"unreadable", path.string() + " cannot be read: " + std::strerror(errno)};
  std::array<unsigned char, 32> bytes{};
  EVP_DigestFinal_ex(digest.get(), bytes.data(), nullptr);
  for (const unsigned char byte : bytes) {
    read.sha256 += "0123456789abcdef"[byte >> 4];
    read.sha256 += "0123456789abcdef"[byte & 15];
  }
  return read;
}

// The files of a folder that are copied byte by byte; nobody changes them in place.
Result<void> copy_plain(const fs::path& from, const fs::path& to) {
  std::error_code fault;
  if (!fs::exists(from, fault)) return {};
  if (!fs::is_directory(from, fault)) {
    fs::copy_file(from, to, fault);
    if (fault) return unwritable(to, fault);
    return sync(to);
  }
  KOI_TRY(deploy::make_folder(to));
  std::vector<fs::path> names;
  for (const auto& entry : fs::directory_iterator(from, fault))
    names.push_back(entry.path().filename());
  for (const fs::path& name : names) {
    if (name.extension() == ".new") continue;  // on its way, and not acknowledged yet
    if (!fs::is_regular_file(from / name, fault)) continue;
    fs::copy_file(from / name, to / name, fault);
    if (fault == std::errc::no_such_file_or_directory) continue;  // it was over in this moment
    if (fault) return unwritable(to / name, fault);
    KOI_TRY(sync(to / name));
  }
  return {};
}

std::uint64_t bytes_in(const fs::path& folder) {
  std::uint64_t bytes = 0;
  std::error_code fault;
  for (const auto& entry : fs::recursive_directory_iterator(folder, fault))
    if (entry.is_regular_file(fault)) bytes += entry.file_size(fault);
  return bytes;
}

Result<void> copy_all(const fs::path& data, const fs::path& to,
                      const deploy::Deployment& deployment, const BackupWays& ways) {
  KOI_TRY(copy_plain(data / "bundles", to / "bundles"));
  KOI_TRY(copy_plain(data / "deployment.json", to / "deployment.json"));
  KOI_TRY(copy_plain(data / restored, to / restored));
  const fs::path states = data / deployment.states, states_to = to / deployment.states;
  if (!deployment.states.empty()) KOI_TRY(deploy::make_folder(states_to));
  std::error_code fault;
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(states, fault)) {
    const std::string name = entry.path().filename().string();
    if (store::SqliteStore::is_file_of(name) && name.ends_with(".db")) names.push_back(name);
  }
  const auto copy = [&](const fs::path& from, const fs::path& into) {
    ways.say("copying " + from.filename().string());
    return store::copy_file(from, into, ways.gives_up);
  };
  for (const std::string& name : names) KOI_TRY(copy(states / name, states_to / name));
  // What is told to all is in the journal when its file goes.
  KOI_TRY(copy_plain(data / "everyone", to / "everyone"));
  KOI_TRY(copy(data / "journal.db", to / "journal.db"));
  for (const std::string_view name : behind_the_journal)
    if (fs::exists(data / name, fault)) KOI_TRY(copy(data / name, to / name));
  return {};
}

// Decides in the copy what its customers are behind its journal, and writes it back.
Result<std::vector<store::Position>> settle(const fs::path& folder, const BackupWays& ways) {
  ways.say("deciding what came meanwhile");
  KOI_LET(const std::unique_ptr<Data> data, Data::open(folder, 1));
  const store::Groups groups = data->journal->groups();
  KOI_LET(const deploy::Live live, deploy::live(data->directory));
  const runtime::SystemClock clock;
  asio::io_context nobody;
  Settings settings;
  settings.writers.budget = ways.memory;
  settings.keeps_sent = true;
  KOI_LET(const std::unique_ptr<Engine> engine,
          Engine::open({live.plan,
                        live.rules,
                        *data->journal,
                        *data->store,
                        groups,
                        *data->identifiers,
                        clock,
                        nobody.get_executor(),
                        {},
                        [](channel::Level, std::string_view) {},
                        data->watch.get()},
                       settings));
  KOI_TRY(engine->deliveries().tell(*data->timeline));
  KOI_TRY(engine->deliveries().save(*data->sent));
  std::vector<store::Position> positions;
  for (store::Group group = 0; group < groups.count; ++group) {
    KOI_TRY(engine->writers().checkpoint(group));
    KOI_LET(const store::Position last, data->journal->last(group));
    positions.push_back(last);
  }
  return positions;
}

Result<std::vector<Backup::File>> list(const fs::path& folder) {
  std::vector<Backup::File> files;
  std::error_code fault;
  std::vector<fs::path> paths;
  for (const auto& entry : fs::recursive_directory_iterator(folder, fault))
    if (entry.is_regular_file(fault)) paths.push_back(entry.path());
  for (const fs::path& path : paths) {
    KOI_TRY(sync(path));
    KOI_LET(auto file, read_through(path, fs::relative(path, folder).generic_string(),
                                    [](std::string_view) { return Result<void>(); }));
    files.push_back(std::move(file));
  }
  std::sort(files.begin(), files.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  return files;
}

std::string to_json(const Backup& backup) {
  OrderedJson files = OrderedJson::array();
  for (const Backup::File& file : backup.files)
    files.push_back({{"name", file.name}, {"bytes", file.bytes}, {"sha256", file.sha256}});
  const OrderedJson json{{"version", manifest_version},
                         {"taken", to_string(backup.taken, utc())},
                         {"positions", backup.positions},
                         {"files", std::move(files)}};
  return json.dump(2) + "\n";
}

// A name that stays within its folder.
bool is_inside(const std::string& name) {
  const fs::path path(name);
  return !name.empty() && path.is_relative() && path == path.lexically_normal() &&
         *path.begin() != ".." && *path.begin() != "." && name.find('\0') == std::string::npos;
}

std::optional<Backup> backup_of(const OrderedJson& json) {
  Backup backup;
  const auto taken = parse_instant(json.value("taken", ""));
  if (!taken) return std::nullopt;
  backup.taken = *taken;
  backup.positions = json.at("positions").get<std::vector<store::Position>>();
  for (const OrderedJson& each : json.at("files")) {
    Backup::File file{each.at("name").get<std::string>(), each.at("bytes").get<std::uint64_t>(),
                      each.at("sha256").get<std::string>()};
    if (!is_inside(file.name)) return std::nullopt;
    backup.files.push_back(std::move(file));
  }
  return backup;
}

Error damaged(const fs::path& path) {
  return {"corrupt", path.string() + " is not as it was written; take another backup"};
}

}  // namespace

std::uint64_t Backup::bytes() const {
  std::uint64_t all = 0;
  for (const File& file : files) all += file.bytes;
  return all;
}

Result<Backup> back_up(const fs::path& data, const fs::path& to, const BackupWays& ways) {
  KOI_LET(const auto text, deploy::read_whole(data / "deployment.json", longest_json));
  if (!text) return Error{"missing", "nothing was put live in " + data.string() + " yet"};
  KOI_LET(const auto deployment, deploy::deployment_of(*text, (data / "deployment.json").string()));
  if (deployment.is_under_way || deployment.turns.empty())
    return Error{"deploy", "a deploy in " + data.string() +
                               " was broken off; start the server on it, which finishes it, and "
                               "ask again"};
  KOI_LET(Whole folder, Whole::begin(to));
  std::error_code fault;
  const fs::space_info space = fs::space(folder.path(), fault);
  const std::uint64_t wanted = bytes_in(data);
  if (!fault && space.available < wanted + store::Room().reserve)
    return Error{"full", "a backup takes up to " + std::to_string(wanted >> 20) +
                             " MiB, and the disk of " + to.string() + " has " +
                             std::to_string(space.available >> 20) + "; make room"};
  Backup backup;
  backup.taken = runtime::SystemClock().now();
  KOI_TRY(copy_all(data, folder.path(), deployment, ways));
  KOI_LET(backup.positions, settle(folder.path(), ways));
  for (const char* of_the_process : {"lock", "crashes"})
    fs::remove(folder.path() / of_the_process, fault);
  ways.say("adding up");
  KOI_LET(backup.files, list(folder.path()));
  KOI_TRY(deploy::write_whole(folder.path() / manifest, to_json(backup)));
  KOI_TRY(folder.end());
  return backup;
}

Result<Backup> read_backup(const fs::path& folder) {
  const fs::path path = folder / manifest;
  KOI_LET(const auto text, deploy::read_whole(path, longest_json));
  if (!text)
    return Error{"missing", folder.string() + " is no backup: it has no " + std::string(manifest)};
  try {
    const OrderedJson json = OrderedJson::parse(*text);
    if (json.value("version", 0) > manifest_version)
      return Error{"newer", path.string() + " was written by a newer Koi; restore with that one"};
    if (auto backup = backup_of(json)) return *std::move(backup);
  } catch (const OrderedJson::exception&) {
  }
  return damaged(path);
}

Result<Backup> restore(const fs::path& folder, const fs::path& data, Timestamp now) {
  KOI_LET(Backup backup, read_backup(folder));
  KOI_LET(Whole made, Whole::begin(data));
  for (const Backup::File& wanted : backup.files) {
    const fs::path from = folder / wanted.name, to = made.path() / wanted.name;
    std::error_code fault;
    fs::create_directories(to.parent_path(), fault);
    if (fault) return unwritable(to.parent_path(), fault);
    if (!fs::is_regular_file(from, fault)) return damaged(from);
    std::unique_ptr<std::FILE, int (*)(std::FILE*)> out(std::fopen(to.c_str(), "wbe"), std::fclose);
    if (!out) return unwritable(to, last_fault());
    KOI_LET(const auto copied,
            read_through(from, wanted.name, [&](std::string_view piece) -> Result<void> {
              if (std::fwrite(piece.data(), 1, piece.size(), out.get()) != piece.size())
                return unwritable(to, last_fault());
              return {};
            }));
    if (std::fclose(out.release()) != 0) return unwritable(to, last_fault());
    KOI_TRY(sync(to));
    if (copied != wanted) return damaged(from);
  }
  const OrderedJson json{{"taken", to_string(backup.taken, utc())},
                         {"restored", to_string(now, utc())}};
  KOI_TRY(deploy::write_whole(made.path() / restored, json.dump(2) + "\n"));
  KOI_TRY(made.end());
  return backup;
}

Result<std::optional<Timestamp>> held_since(const store::Directory& directory) {
  const fs::path path = directory.path() / restored;
  KOI_LET(const auto text, deploy::read_whole(path, longest_json));
  if (!text) return std::optional<Timestamp>();
  const OrderedJson json = OrderedJson::parse(*text, nullptr, false);
  if (json.is_object() && json.contains("opened")) return std::optional<Timestamp>();
  const auto taken = json.is_object() && json.contains("taken") && json["taken"].is_string()
                         ? parse_instant(json["taken"].get<std::string>())
                         : std::nullopt;
  if (!taken) return damaged(path);
  return taken;
}

Result<void> mark_opened(const store::Directory& directory, Timestamp now,
                         const deploy::Said& said) {
  const fs::path path = directory.path() / restored;
  KOI_LET(const auto text, deploy::read_whole(path, longest_json));
  OrderedJson json = OrderedJson::parse(text.value_or("{}"), nullptr, false);
  if (!json.is_object()) return damaged(path);
  json["opened"] = to_string(now, utc());
  json["by"] = said.by;
  json["why"] = said.why;
  return deploy::write_whole(
      path, json.dump(2, ' ', false, OrderedJson::error_handler_t::replace) + "\n");
}

std::string told(const Backup& backup) {
  std::string inputs;
  for (const store::Position position : backup.positions)
    inputs += (inputs.empty() ? "" : ", ") + std::to_string(position);
  return std::to_string(backup.files.size()) + " files, " +
         std::to_string((backup.bytes() + (1u << 20) - 1) >> 20) + " MiB, as of " +
         to_string(backup.taken, utc()) + "; the journal up to " + inputs + "\n";
}

}  // namespace koi::serve
