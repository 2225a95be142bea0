// Prize draws of a data directory, made again for an auditor. The journal is decided again from its
// beginning, by the rules that decided it then; what each draw came to is found once more from the
// key behind the published commitment and what was out of stock; and it is compared with what the
// server has told: the timeline, and what customers have in hand.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "ledger/chance.h"
#include "plan/plan.h"
#include "store/directory.h"
#include "store/groups.h"
#include "store/journal.h"
#include "store/store.h"
#include "store/timeline.h"

namespace koi::serve {

struct DrawsAudit {
  ledger::Key key;            // by which they were made again
  std::uint64_t draws = 0;    // made again
  std::uint64_t told = 0;     // of them the timeline still tells …
  std::uint64_t in_hand = 0;  // … and so many customers hold: of each draw at least the last
  // By the name of the draw and that of the prize, how often it was drawn.
  std::map<std::string, std::map<std::string, std::uint64_t>> drawn;
  // What is not as it must be: a sentence each, the first draw's first.
  std::vector<std::string> findings;
  std::vector<std::string> notes;
};

struct DrawsQuestion {
  std::optional<ledger::Key> key{};       // that was shown; none: the deployment's own
  const plan::Plan* published = nullptr;  // the rules as they were published; none: not compared
  std::uint64_t room = std::uint64_t{256} << 20;  // of memory for states, in bytes
};

// Of the whole journal. Nobody may be serving the directory; beside its files a folder is made, and
// gone afterwards. Errors: "missing", "locked", "under_way" (a deploy was broken off), "erased"
// where the journal's beginning is not kept any more, and those of journal, store and bundles.
Result<DrawsAudit> audit_draws(const std::filesystem::path& data, const DrawsQuestion& question);

// The same of what is open already. `is_copy`: the timeline may be of a later moment than the
// journal.
Result<DrawsAudit> audit_draws(const store::Directory& directory, const store::Journal& journal,
                               const store::Store& store, const store::Timeline& timeline,
                               store::Groups groups, bool is_copy, const DrawsQuestion& question);

// What is published before the first draw, of the rules' seed.
std::string draws_commitment(const plan::Plan& plan);

// For people; ends with a line feed.
std::string told(const DrawsAudit& audit);

}  // namespace koi::serve
