#include "serve/making.h"

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <utility>

#include "serve/deliveries.h"
#include "serve/log.h"

namespace koi::serve {

namespace {

// So few who have changed are carried over at the border in some milliseconds. Where more come all
// the time than can be carried beside, rounds do not get smaller: then one more wins nothing.
constexpr std::size_t few = 500;
constexpr int most_rounds = 20, most_in_vain = 3;

// This thread's work, and of those that it starts, waits where somebody else has some.
constexpr int nice = 10;

void tell(std::string_view lines) {
  for (std::string_view rest = lines; !rest.empty();) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    log(channel::Level::Info, rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
}

}  // namespace

deploy::Site site_of(Data& data, const runtime::Clock& clock, std::uint64_t memory, bool keeps_sent,
                     std::function<void(const deploy::Progress&)> progress) {
  const store::Groups groups = data.journal->groups();
  return {data.directory,
          *data.journal,
          *data.store,
          groups,
          [groups, keeps_sent](const plan::Plan& plan) {
            return std::make_unique<Deliveries>(plan, groups, keeps_sent);
          },
          [&clock] { return clock.now(); },
          std::move(progress),
          memory,
          {},
          data.watch.get()};
}

std::string stage_of(const deploy::Progress& progress) {
  return std::string(name_of(progress.stage)) + ", " + std::to_string(progress.done) + " done";
}

Result<std::string> deploy_to(Data& data, const deploy::Bundle& wanted, const deploy::Said& said,
                              const deploy::Ways& ways, bool keeps_sent, std::uint64_t memory) {
  const runtime::SystemClock clock;
  std::chrono::steady_clock::time_point last_told = std::chrono::steady_clock::now();
  const deploy::Site site =
      site_of(data, clock, memory, keeps_sent, [&](const deploy::Progress& progress) {
        const auto now = std::chrono::steady_clock::now();
        if (now - last_told < std::chrono::seconds(5)) return;
        last_told = now;
        log(channel::Level::Info, "deploying: " + stage_of(progress));
      });
  KOI_LET(const auto reports, deploy::deploy(site, wanted, said, ways));
  std::string all;
  for (const deploy::Report& report : reports) all += deploy::told(report);
  tell(all);
  return all;
}

Making::Making(Amid amid, Wanted wanted)
    : amid_(std::move(amid)),
      wanted_(std::move(wanted)),
      site_(site_of(amid_.data, amid_.clock, amid_.memory, amid_.keeps_sent,
                    [this](const deploy::Progress& progress) {
                      amid_.say("making ready: " + stage_of(progress));
                    })) {}

// Removes the states that are not live: the former ones, or where nothing came of it the new ones.
Making::~Making() {
  ahead_.reset();
  if (!next_.store) return;
  next_ = {};
  const auto deployment = deploy::read_deployment(amid_.data.directory);
  if (!deployment || !*deployment) return;
  if (const auto cleared = deploy::clear_states(amid_.data.directory, **deployment); !cleared)
    log(channel::Level::Warning, cleared.error().what);
}

Result<void> Making::make_ready() {
  ::setpriority(PRIO_PROCESS, 0, nice);
  if (!wanted_.ways.moves_nobody() || wanted_.ways.canary != 0)
    KOI_TRY(deploy::preview(site_, wanted_.bundle, wanted_.ways));
  KOI_LET(const auto deployment, deploy::read_deployment(amid_.data.directory));
  folder_ = deploy::states_folder(deployment->turns.size());
  KOI_LET(next_, deploy::make_states(amid_.data.directory, site_.groups, folder_));
  KOI_LET(ahead_, deploy::Ahead::make(site_,
                                      {.live = *amid_.data.store,
                                       .next = *next_.store,
                                       .folder = folder_,
                                       .write_back = amid_.write_back,
                                       .gives_up = [this] { return amid_.rest({}); }},
                                      wanted_.bundle, wanted_.said, wanted_.ways));
  KOI_TRY(follow_until_few());
  amid_.say("waiting for what is under way to the channels");
  amid_.drain();
  return follow_until_few();
}

Result<void> Making::follow_until_few() {
  std::size_t fewest = SIZE_MAX;
  for (int rounds = 0, in_vain = 0;; ++rounds) {
    KOI_LET(const std::size_t followed, ahead_->follow());
    const bool shrinks = followed < fewest - fewest / 4;
    fewest = std::min(fewest, followed);
    in_vain = shrinks ? 0 : in_vain + 1;
    const Duration left = ahead_->carries() ? ahead_->since() - amid_.clock.now() : Duration();
    const bool is_early = left.us > 0;
    if (!is_early && (followed <= few || rounds >= most_rounds || in_vain >= most_in_vain))
      return {};
    if (is_early) rounds = in_vain = 0, fewest = SIZE_MAX;
    const Duration pause =
        is_early && followed <= few ? std::min(left, microseconds(200'000)) : Duration();
    if (amid_.rest(pause))
      return Error{"stopping", "the server stops; the rules that were live stay so"};
  }
}

Result<std::string> Making::go_live() {
  const auto report = ahead_->go_live();
  KOI_LET(const auto deployment, deploy::read_deployment(amid_.data.directory));
  if (deployment->states == folder_) next_ = amid_.data.go_over_to(std::move(next_));
  if (!report) return report.error();
  const std::string told = deploy::told(*report);
  tell(told);
  return told;
}

}  // namespace koi::serve
