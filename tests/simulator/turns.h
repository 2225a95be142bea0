// Turns: a simulated deployment whose rules change now and then, there and back. The deploys are
// the real ones, over the simulated disk, with what they build beside it in the folder `build`;
// deployment.json, the bundles and what is no database in that folder stand in the file system
// itself, and stay there as they were at the moment of a crash.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "chance.h"
#include "controls.h"
#include "deploy/deploy.h"
#include "deploy/link.h"
#include "program.h"
#include "record.h"
#include "replay.h"
#include "runtime/clock.h"

namespace koi::simulator {

class Turns {
 public:
  // `first` and the program that follows it take turns; all must outlive it.
  Turns(Chance chance, const Program& first, std::filesystem::path folder, Control control);

  // Whether somebody wants other rules now.
  bool are_due() { return chance_.one_in(40); }
  // What the next life is to run from here on: the other program.
  void change_mind() { is_other_ = !is_other_; }

  // Brings the directory to what is wanted, as the server does before it steps anything; the plan
  // that is live then. It stays where it is. Errors are those of deploy::deploy().
  struct Place {
    const store::Directory& directory;
    store::Journal& journal;
    store::Store& store;
    store::Groups groups;
    const runtime::Clock& clock;
    std::uint64_t budget;
    durable::CrashWatch* watch;
  };
  Result<void> bring(const Place& place, Record& record);
  const plan::Plan& plan() const { return *plan_; }
  std::uint64_t rules() const { return rules_; }
  Timestamp since() const { return since_; }  // they are live
  std::uint64_t deploys() const { return deploys_; }
  std::uint64_t built() const { return built_; }  // deploys that built metrics from the journal

  // By which rules the journal is decided. Reads deployment.json.
  Result<std::vector<Rules>> history(const store::Directory& directory);

  // The process is gone at this moment; and the next one finds what was there then.
  void keep_files();
  void put_files_back() const;

  // What is live at this moment goes into a backup; and the disk is a new one, with that on it.
  void remember();
  void take_back();

 private:
  std::filesystem::path file() const { return folder_ / "deployment.json"; }
  std::filesystem::path build() const { return folder_ / "build"; }

  Chance chance_;
  const Program& first_;
  std::filesystem::path folder_;
  Control control_;
  deploy::WalkRules walk_;
  std::unique_ptr<deploy::Plans> plans_;
  std::unique_ptr<deploy::Bundles> bundles_;
  const plan::Plan* plan_ = nullptr;
  std::uint64_t rules_ = 0, deploys_ = 0, built_ = 0;
  Timestamp since_;
  bool is_other_ = false;
  std::optional<std::string> kept_, remembered_;
  std::optional<std::map<std::string, std::string>> kept_build_;  // its files, by name
};

}  // namespace koi::simulator
