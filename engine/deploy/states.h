// States: the files of a data directory that hold the customers. They are in the directory itself,
// or in a folder of it: each deploy beside ingestion (ahead.h) makes one of its own, and
// deployment.json says which is live.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "deploy/deployment.h"
#include "store/directory.h"
#include "store/groups.h"
#include "store/sqlite_store.h"

namespace koi::deploy {

struct States {
  std::unique_ptr<store::Directory> folder;  // none: the directory itself
  std::unique_ptr<store::SqliteStore> store;
};

// Those that are live (`deployment.states`). Errors: "missing" where the folder is not there, and
// those of store::SqliteStore.
Result<States> open_states(const store::Directory& directory, store::Groups groups,
                           const Deployment& deployment);
// New ones, empty, in a folder of that name. The same errors.
Result<States> make_states(const store::Directory& directory, store::Groups groups,
                           const std::string& folder);
// Removes all that are not live: of earlier deploys, and of such as came to nothing. Nobody may
// have them open. Error "unwritable".
Result<void> clear_states(const store::Directory& directory, const Deployment& deployment);

}  // namespace koi::deploy
