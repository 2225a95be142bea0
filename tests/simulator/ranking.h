// Ranking: the tiers of a simulated deployment, refreshed by hand, and what they must come to.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "chance.h"
#include "record.h"
#include "replay.h"
#include "serve/ranks.h"

namespace koi::simulator {

// What a deployment keeps of refreshed tiers: a file in the file system itself, which stays as it
// was at the moment of a crash.
class Ranking {
 public:
  Ranking(Chance chance, std::filesystem::path file);

  bool is_due() { return chance_.one_in(3); }
  const std::filesystem::path& file() const { return file_; }
  void keep_file();
  void put_file_back() const;
  void lose_file();

 private:
  Chance chance_;
  std::filesystem::path file_;
  std::optional<std::string> kept_;
};

// Whoever was told a level has the one that he had at the instant of that refreshing, counted by
// hand from the purchases that the journal has before it: the tier `standing` of
// programs/figures.koi. `ranks`, where it has nothing more to do: everybody was told of the last
// refreshing.
void check_ranks(const plan::Plan& plan, const Replay& replay, const serve::Ranks* ranks,
                 Record& record);

}  // namespace koi::simulator
