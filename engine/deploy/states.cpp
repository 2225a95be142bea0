#include "deploy/states.h"

#include <filesystem>
#include <utility>

#include "deploy/files.h"

namespace koi::deploy {

namespace fs = std::filesystem;

namespace {

Result<States> open_in(const store::Directory& directory, store::Groups groups,
                       const std::string& folder) {
  States states;
  if (!folder.empty()) {
    KOI_LET(store::Directory opened, store::Directory::open(directory.path() / folder));
    states.folder = std::make_unique<store::Directory>(std::move(opened));
  }
  KOI_LET(states.store,
          store::SqliteStore::open(states.folder ? *states.folder : directory, groups));
  return states;
}

Error unwritable(const fs::path& path, const std::error_code& fault) {
  return {"unwritable", path.string() + " cannot be removed: " + fault.message() +
                            "; it is not in use any more: remove it by hand"};
}

}  // namespace

Result<States> open_states(const store::Directory& directory, store::Groups groups,
                           const Deployment& deployment) {
  const std::string& folder = deployment.states;
  std::error_code fault;
  if (!folder.empty() && !fs::is_directory(directory.path() / folder, fault))
    return Error{"missing", (directory.path() / folder).string() +
                                " is not there, and deployment.json says that it has the "
                                "customers; put back the files that belong together"};
  return open_in(directory, groups, folder);
}

Result<States> make_states(const store::Directory& directory, store::Groups groups,
                           const std::string& folder) {
  std::error_code fault;
  fs::remove_all(directory.path() / folder, fault);
  if (fault) return unwritable(directory.path() / folder, fault);
  KOI_TRY(make_folder(directory.path() / folder));
  return open_in(directory, groups, folder);
}

Result<void> clear_states(const store::Directory& directory, const Deployment& deployment) {
  std::error_code fault;
  fs::directory_iterator all(directory.path(), fault);
  if (fault) return unwritable(directory.path(), fault);
  for (const fs::directory_entry& entry : all) {
    const std::string name = entry.path().filename().string();
    if (name == deployment.states) continue;
    const bool is_of_another = is_states_folder(name) && entry.is_directory(fault);
    const bool is_former = !deployment.states.empty() && store::SqliteStore::is_file_of(name) &&
                           entry.is_regular_file(fault);
    if (!is_of_another && !is_former) continue;
    fs::remove_all(entry.path(), fault);
    if (fault) return unwritable(entry.path(), fault);
  }
  return {};
}

}  // namespace koi::deploy
