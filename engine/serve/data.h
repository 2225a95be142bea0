// Data: a data directory's files, open.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>

#include "base/result.h"
#include "deploy/followed.h"
#include "deploy/states.h"
#include "durable/crash_watch.h"
#include "store/directory.h"
#include "store/identifiers.h"
#include "store/notes.h"
#include "store/sent.h"
#include "store/sqlite_journal.h"
#include "store/timeline.h"

namespace koi::serve {

struct Data {
  store::Directory directory;
  std::unique_ptr<store::SqliteJournal> journal;
  deploy::States states;                    // of the live rules
  std::unique_ptr<deploy::Followed> store;  // over these
  std::unique_ptr<store::Identifiers> identifiers;
  std::unique_ptr<store::Timeline> timeline;
  std::unique_ptr<store::Sent> sent;
  std::unique_ptr<store::Notes> notes;
  std::unique_ptr<durable::CrashWatch> watch;

  // `groups` of a new directory; 0: as many as the machine has cores. Errors are those of its
  // parts.
  static Result<std::unique_ptr<Data>> open(const std::filesystem::path& path,
                                            std::uint16_t groups);

  // Goes over to other states, and gives back those before. Nobody may be at work on either.
  deploy::States go_over_to(deploy::States next);
};

}  // namespace koi::serve
