#include "serve/data.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "runtime/clock.h"

namespace koi::serve {

Result<std::unique_ptr<Data>> Data::open(const std::filesystem::path& path, std::uint16_t groups) {
  KOI_LET(store::Directory directory, store::Directory::open(path));
  auto data = std::unique_ptr<Data>(new Data{std::move(directory), {}, {}, {}, {}, {}, {}, {}, {}});
  const unsigned cores = std::clamp(std::thread::hardware_concurrency(), 1u, 64u);
  const store::Groups wanted{groups != 0 ? groups : static_cast<std::uint16_t>(cores)};
  KOI_LET(data->journal, store::SqliteJournal::open(data->directory, wanted));
  const store::Groups there = data->journal->groups();
  KOI_LET(const auto known, deploy::read_deployment(data->directory));
  const deploy::Deployment deployment = known.value_or(deploy::Deployment());
  KOI_LET(data->states, deploy::open_states(data->directory, there, deployment));
  KOI_TRY(deploy::clear_states(data->directory, deployment));
  data->store = std::make_unique<deploy::Followed>(*data->states.store, there);
  KOI_LET(data->identifiers, store::Identifiers::open(data->directory));
  KOI_LET(data->timeline, store::Timeline::open(data->directory));
  KOI_LET(data->sent, store::Sent::open(data->directory));
  KOI_LET(data->notes, store::Notes::open(data->directory, runtime::SystemClock().now()));
  KOI_LET(data->watch, durable::CrashWatch::open(data->directory, there));
  return data;
}

deploy::States Data::go_over_to(deploy::States next) {
  store->become(*next.store);
  return std::exchange(states, std::move(next));
}

}  // namespace koi::serve
