#include "serve/all_groups.h"

#include <memory>
#include <utility>

namespace koi::serve {

namespace {

struct Walk {
  durable::Writers& writers;
  std::function<Result<void>(const core::Accounts&)> each;
  std::function<void(Result<void>)> done;
};

void go_on(const std::shared_ptr<Walk>& walk, store::Group group) {
  if (group == walk->writers.groups().count) return walk->done({});
  walk->writers.look_at_shared(group, [walk, group](const Result<const core::Accounts*>& shared) {
    Result<void> seen = shared ? walk->each(**shared) : Result<void>(shared.error());
    if (!seen) return walk->done(std::move(seen));
    go_on(walk, static_cast<store::Group>(group + 1));
  });
}

}  // namespace

void look_at_all(durable::Writers& writers,
                 std::function<Result<void>(const core::Accounts& shared)> each,
                 std::function<void(Result<void>)> done) {
  go_on(std::make_shared<Walk>(Walk{writers, std::move(each), std::move(done)}), 0);
}

}  // namespace koi::serve
