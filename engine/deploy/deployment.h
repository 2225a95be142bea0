// Deployment: what a data directory is, in its file deployment.json: the seed, which was made at
// random once, and which bundle was live since when. Its history is what rebuilt metrics are
// decided by, so nothing is ever taken out of it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/hash.h"
#include "base/result.h"
#include "base/time.h"
#include "store/directory.h"
#include "store/groups.h"

namespace koi::deploy {

// A campaign as an earlier bundle had it, for those who are under way in it (link.h).
struct Kept {
  Hash128 bundle;  // its own
  std::string campaign;
  std::uint64_t version = 0;
  friend bool operator==(const Kept&, const Kept&) = default;
};

// A step of a former version, and where those who stand at it go on; by names (migrate.h).
struct StepMove {
  std::string from, to;
  friend bool operator==(const StepMove&, const StepMove&) = default;
};
// Who is under way in this campaign is moved to the new rules' version of it.
struct CampaignMove {
  std::string campaign;
  std::vector<StepMove> steps{};  // where names alone do not say it
  friend bool operator==(const CampaignMove&, const CampaignMove&) = default;
};
// What a deploy does with those who are under way, where they are not to finish as they began.
struct Ways {
  std::vector<CampaignMove> migrate{};
  std::vector<std::string> stop{};  // campaigns, each of whose journeys ends
  // For so many millionths of the customers alone: the new rules' campaigns take their entries, and
  // the former rules' those of all others. 0: for everybody.
  std::uint32_t canary = 0;
  bool moves_nobody() const { return migrate.empty() && stop.empty(); }
  friend bool operator==(const Ways&, const Ways&) = default;
};

// One bundle's turn, up to the next one's.
struct Turn {
  Hash128 bundle;
  Timestamp since;
  // By group: its journal's last position under the rules before.
  std::vector<store::Position> positions;
  std::vector<Kept> kept{};  // linked to the bundle's own, in this order
  std::string by{}, why{};   // as whoever deployed it has said
  Ways ways{};               // that its beginning took
  Hash128 against{};         // of a canary: the bundle that is live for all others
  friend bool operator==(const Turn&, const Turn&) = default;
};

struct Deployment {
  std::uint64_t seed = 0;
  Timestamp created;
  std::vector<Turn> turns;  // oldest first; the last is live …
  // … unless this holds: then some states may still be as the one before has left them.
  bool is_under_way = false;
  // The directory's folder with the customers' states; empty: they are in the directory itself.
  std::string states{};
  friend bool operator==(const Deployment&, const Deployment&) = default;
};

// 50'000 is "5%".
std::string percent_text(std::uint32_t millionths);
// "5%", "5" and "0.5%" are millionths; nothing where it is none of (0, 100).
std::optional<std::uint32_t> percent_of(std::string_view text);

// The name of the folder for the states of the turn by that number, and whether it is one.
std::string states_folder(std::size_t turn);
bool is_states_folder(std::string_view name);

// What the turn's openings name its rules by, and its states' layouts: the bundle's name, or where
// something is linked to it one of its own.
Hash128 name_of(const Turn& turn);

std::string to_json(const Deployment& deployment);
// Errors "corrupt" and "newer", in a sentence about that file.
Result<Deployment> deployment_of(std::string_view json, std::string_view file);

// Nothing where the directory is new. Errors: "corrupt", "newer", "unreadable".
Result<std::optional<Deployment>> read_deployment(const store::Directory& directory);
// Durable when it returns. Errors "full" and "unwritable".
Result<void> write_deployment(const store::Directory& directory, const Deployment& deployment);

// The directory's deployment, begun with a seed of chance where it is new.
Result<Deployment> begin_deployment(const store::Directory& directory, Timestamp now);

}  // namespace koi::deploy
