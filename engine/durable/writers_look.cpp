// Writers, looked at: customers, what they share and where codes lead, each between two batches.
#include <algorithm>
#include <utility>

#include "durable/writers.h"

namespace koi::durable {

void Writers::look(std::string customer, Show show) {
  Group& group = *groups_[world_.groups.group_of(partition_of(customer))];
  look_at(group, [this, customer = std::move(customer),
                  show = std::move(show)](Result<Writer*> writer) mutable {
    if (!writer) return show(writer.error());
    Customers& customers = (*writer)->customers();
    const auto state = customers.of(partition_of(customer), customer);
    if (!state) return show(state.error());
    std::optional<std::string> other;  // who he has turned out to be
    if (const std::string* const id = core::gone_to(**state)) other = *id;
    // Before he is shown: whoever is shown him may look on.
    customers.unchanged();
    if (other) return look(*std::move(other), std::move(show));
    show((*state)->created == Timestamp::never() ? nullptr : *state);
  });
}

namespace {
Error on_his_way() {
  return {"moved",
          "two customers have turned out to be one person, and one of them is on his way to the "
          "other; ask again a little later"};
}
}  // namespace

void Writers::find_customer(std::string customer, std::function<void(Result<std::string>)> then) {
  std::string asked = customer;
  find_customer(std::move(customer), std::move(asked), std::move(then));
}

// `asked` is the one whom it began with.
void Writers::find_customer(std::string customer, std::string asked,
                            std::function<void(Result<std::string>)> then) {
  Group& group = *groups_[world_.groups.group_of(partition_of(customer))];
  look_at(group, [this, customer = std::move(customer), asked = std::move(asked),
                  then = std::move(then)](Result<Writer*> writer) mutable {
    if (!writer) return then(writer.error());
    Customers& customers = (*writer)->customers();
    const auto state = customers.of(partition_of(customer), customer);
    if (!state) return then(state.error());
    std::optional<std::string> other;  // who he has turned out to be
    if (const std::string* const id = core::gone_to(**state)) other = *id;
    const bool is_here = core::is_called(**state, asked);
    customers.unchanged();
    if (other) return find_customer(*std::move(other), std::move(asked), std::move(then));
    then(is_here ? Result<std::string>(std::move(customer)) : on_his_way());
  });
}

void Writers::validate(core::Call call, Tell tell) {
  Group& group = *groups_[world_.groups.group_of(partition_of(call.customer))];
  look_at(group, [call = std::move(call), tell = std::move(tell)](Result<Writer*> writer) {
    tell(writer ? (*writer)->validate(call) : Result<core::Answer>(writer.error()));
  });
}

void Writers::look_at_shared(store::Group group, ShowShared show) {
  look_at(*groups_[group], [show = std::move(show)](Result<Writer*> writer) {
    if (!writer) return show(writer.error());
    const core::Accounts& shared = (*writer)->shared();
    if (shared.fault()) return show(*shared.fault());
    show(&shared);
  });
}

namespace {
// What several groups answer, of whom the last one tells: `all` has what they said.
template <class All, class What>
struct Search {
  std::mutex mutex;
  std::size_t left = 0;
  All all{};
  std::optional<Error> error;
  std::function<void(Result<What>)> then;

  // One group's; `add` puts it to the others'.
  template <class Said, class Add>
  void answer(Result<Said> said, Add add) {
    std::unique_lock lock(mutex);
    if (said)
      add(all, *std::move(said));
    else
      error = said.error();
    if (--left > 0) return;
    lock.unlock();
    then(error ? Result<What>(*error) : all.result());
  }
};

struct FoundPlaces {
  std::map<std::string, CodePlace> found;  // by code
  std::set<std::string> on_their_way;      // codes whose customers were another group's

  // What the group knows of its own customers counts; who has left it for another one's is known
  // there too, once he has come.
  void add(std::vector<CodePlace> places, store::Groups groups, store::Group by) {
    for (CodePlace& each : places) {
      if (groups.group_of(partition_of(each.customer)) != by)
        on_their_way.insert(each.code);
      else
        found.emplace(each.code, std::move(each));
    }
  }
  Result<std::vector<CodePlace>> result() {
    std::vector<CodePlace> all;
    for (auto& [code, place] : found) {
      on_their_way.erase(code);
      all.push_back(std::move(place));
    }
    if (!on_their_way.empty()) return on_his_way();
    return all;
  }
};

struct FoundCodes {
  std::uint64_t uploaded = 0, given = 0;
  // What is uploaded and given between two looks is missing in the former.
  Result<std::uint64_t> result() const { return uploaded - std::min(uploaded, given); }
};
}  // namespace

void Writers::find_places(std::vector<std::string> codes,
                          std::function<void(Result<std::vector<CodePlace>>)> then) {
  const auto search = std::make_shared<Search<FoundPlaces, std::vector<CodePlace>>>();
  search->left = groups_.size();
  search->then = std::move(then);
  const auto wanted = std::make_shared<const std::vector<std::string>>(std::move(codes));
  for (const auto& group : groups_)
    look_at(*group, [search, wanted, groups = world_.groups,
                     by = group->number](Result<Writer*> writer) {
      auto found =
          writer ? (*writer)->find_places(*wanted) : Result<std::vector<CodePlace>>(writer.error());
      search->answer(std::move(found), [&](FoundPlaces& all, std::vector<CodePlace> places) {
        all.add(std::move(places), groups, by);
      });
    });
}

void Writers::find_codes_left(std::string pool, std::function<void(Result<std::uint64_t>)> then) {
  const auto search = std::make_shared<Search<FoundCodes, std::uint64_t>>();
  search->left = groups_.size();
  search->then = std::move(then);
  const auto wanted = std::make_shared<const std::string>(std::move(pool));
  for (const auto& group : groups_)
    look_at(*group, [search, wanted](Result<Writer*> writer) {
      const auto figures = writer ? (*writer)->pool_figures(*wanted)
                                  : Result<core::Accounts::PoolFigures>(writer.error());
      search->answer(figures, [](FoundCodes& all, core::Accounts::PoolFigures of) {
        all.uploaded += of.uploaded;
        all.given += of.given;
      });
    });
}

void Writers::look_at(Group& group, Look look) {
  if (!has_threads_) return look(&group.writer);
  {
    const std::lock_guard lock(group.mutex);
    if (!group.is_over) {
      group.looks.push_back(std::move(look));
      group.changed.notify_all();
      return;
    }
  }
  look(Error{"stopping", "this process is stopping and shows nothing more"});
}

void Writers::end_looks(Group& group) {
  std::deque<Look> left;
  {
    const std::lock_guard lock(group.mutex);
    group.is_over = true;
    left.swap(group.looks);
  }
  for (const Look& look : left)
    look(Error{"stopping", "this process is stopping and shows nothing more"});
}

Writers::Figures Writers::figures() const {
  Figures all;
  for (const auto& group : groups_) {
    all.inputs += group->inputs;
    all.waiting += group->waiting;
    all.customers += group->customers;
    all.bytes += group->bytes;
    all.tail += group->tail;
    for (std::size_t to = 0; to < groups_.size(); ++to)
      all.letters += group->sent[to] - std::min(group->sent[to].load(), group->arrived[to].load());
    all.undecided += group->undecided;
    all.set_aside += group->writer.left_out();
  }
  return all;
}

}  // namespace koi::durable
