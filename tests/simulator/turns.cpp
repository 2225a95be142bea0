#include "turns.h"

#include <fstream>
#include <sstream>
#include <utility>

#include "serve/deliveries.h"

namespace koi::simulator {

namespace fs = std::filesystem;

Turns::Turns(Chance chance, const Program& first, fs::path folder, Control control)
    : chance_(chance), first_(first), folder_(std::move(folder)), control_(control) {
  walk_.customers = chance_.between(1, 6);
  walk_.piece = chance_.between(1, 4);
  fs::remove_all(folder_ / "bundles");  // of another seed
  fs::remove_all(build());
  fs::remove(file());
}

Result<void> Turns::bring(const Place& place, Record& record) {
  if (!bundles_) {
    // The deployment's own seed would be chance.
    KOI_TRY(deploy::write_deployment(place.directory, {1, place.clock.now(), {}}));
    bundles_ = std::make_unique<deploy::Bundles>(place.directory);
    plans_ = std::make_unique<deploy::Plans>(*bundles_);
  }
  const deploy::Site site{place.directory,
                          place.journal,
                          place.store,
                          place.groups,
                          [&place](const plan::Plan& plan) {
                            return std::make_unique<serve::Deliveries>(plan, place.groups, false);
                          },
                          [&place] { return place.clock.now(); },
                          {},
                          place.budget,
                          walk_,
                          place.watch,
                          false};
  const Program& wanted = is_other_ ? *first_.next : first_;
  KOI_LET(const auto reports, deploy::deploy(site, wanted.bundle));
  for (const deploy::Report& report : reports) {
    record.say("rules " + to_hex(report.bundle) +
               (report.was_broken_off ? ", broken off before: " : ": ") +
               std::to_string(report.tail_inputs) + " inputs of a tail, " +
               std::to_string(report.metrics_built.size()) + " metrics built, " +
               std::to_string(report.carried.customers) + " customers carried over");
    deploys_ += report.former ? 1 : 0;
    built_ += report.metrics_built.empty() ? 0 : 1;
  }
  KOI_LET(const auto deployment, deploy::read_deployment(place.directory));
  const deploy::Turn& live = deployment->turns.back();
  KOI_LET(plan_, plans_->of(live));
  rules_ = deploy::rules_of(deploy::name_of(live));
  since_ = live.since;
  return {};
}

Result<std::vector<Rules>> Turns::history(const store::Directory& directory) {
  KOI_LET(const auto deployment, deploy::read_deployment(directory));
  std::vector<Rules> all;
  for (const deploy::Turn& turn : deployment->turns) {
    KOI_LET(const plan::Plan* plan, plans_->of(turn));
    all.push_back({plan, turn.positions, turn.since});
  }
  return all;
}

namespace {
std::optional<std::string> bytes_of(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) return std::nullopt;
  std::ostringstream bytes;
  bytes << in.rdbuf();
  return bytes.str();
}
}  // namespace

void Turns::keep_files() {
  kept_build_.reset();
  if (fs::exists(build())) {
    kept_build_.emplace();
    for (const auto& entry : fs::directory_iterator(build()))
      kept_build_->emplace(entry.path().filename().string(), *bytes_of(entry.path()));
  }
  kept_ = bytes_of(file());
  if (!kept_) return;
  if (control_ != Control::DeployUnmarked) return;
  auto deployment = deploy::deployment_of(*kept_, file().string());
  if (!deployment) return;
  deployment->is_under_way = false;
  kept_ = deploy::to_json(*deployment);
}

void Turns::remember() { remembered_ = bytes_of(file()); }

void Turns::take_back() {
  kept_ = remembered_;
  kept_build_.reset();
  put_files_back();
}

void Turns::put_files_back() const {
  fs::remove_all(build());
  if (kept_build_) {
    fs::create_directory(build());
    for (const auto& [name, bytes] : *kept_build_)
      std::ofstream(build() / name, std::ios::binary) << bytes;
  }
  if (kept_)
    std::ofstream(file(), std::ios::binary) << *kept_;
  else
    fs::remove(file());
}

}  // namespace koi::simulator
