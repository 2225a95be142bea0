#include "deploy/rebuild.h"

#include <filesystem>
#include <thread>
#include <utility>
#include <vector>

#include "core/codec.h"
#include "deploy/bundles.h"
#include "deploy/extend.h"
#include "deploy/files.h"
#include "durable/checkpoint.h"
#include "durable/input.h"
#include "durable/writer.h"

namespace koi::deploy {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t rows_at_once = 4096;
// Of the budget that states changed since the last checkpoint may hold.
constexpr std::uint64_t percent_held = 40;
constexpr std::size_t longest_note = std::size_t{1} << 20;

fs::path folder_of(const store::Directory& directory) { return directory.path() / "build"; }

// What was decided then has left then.
class Nobody final : public durable::Deeds {
 public:
  void take(store::Group, std::vector<durable::Deed>) override {}
  std::string freeze(store::Group) override { return {}; }
  Result<void> thaw(store::Group, std::string_view) override { return {}; }
};

Error damaged(store::Group group, store::Position position, std::string_view how) {
  return {"corrupt", "the journal of group " + std::to_string(group) + " " + std::string(how) +
                         " at position " + std::to_string(position)};
}

// One group's part of one turn.
class Replay {
 public:
  Replay(const store::Journal& journal, store::Store& store, store::Groups groups,
         store::Group group, store::Epoch epoch, const plan::Plan& rules,
         const plan::Plan& extended, const match::Index& index, std::uint64_t rules_number,
         std::uint64_t budget)
      : journal_(journal),
        store_(store),
        group_(group),
        epoch_(epoch),
        rules_(rules),
        extended_(extended),
        rules_number_(rules_number),
        writer_(extended, index, store, groups, group, budget, nobody_) {}

  // From behind the store's position up to `last`.
  Result<void> run(store::Position last, const std::function<void(std::uint64_t)>& rows_read) {
    KOI_TRY(writer_.learn(rules_number_));
    writer_.letters().keep_none();
    KOI_LET(auto set_aside, journal_.set_aside(group_));
    writer_.leave_out(std::move(set_aside));
    KOI_LET(store::Position at, store_.position(group_));
    KOI_LET(const std::string bytes, store_.kept(group_));
    if (!bytes.empty()) {
      KOI_LET(const durable::Kept kept, durable::decode_kept(bytes));
      writer_.begin_behind(at, kept.stamp);
    }
    if (at >= last) return {};
    while (at < last) {
      KOI_LET(const auto rows,
              journal_.read(group_, at + 1, std::min<store::Position>(rows_at_once, last - at)));
      if (rows.empty()) return damaged(group_, at, "ends before its time");
      for (const store::Read& read : rows) {
        KOI_TRY(take(read));
        at = read.position;
      }
      rows_read(rows.size());
    }
    KOI_TRY(close());
    return write_back();
  }

 private:
  Result<void> take(const store::Read& read) {
    if (const auto opening = durable::decode_opening(read.row.bytes)) {
      KOI_TRY(close());
      if (opening->rules != rules_number_)
        return damaged(group_, read.position, "names other rules than deployment.json");
      is_open_ = true;
      return writer_.open(read.position, *opening);
    }
    if (!is_open_) return damaged(group_, read.position, "does not begin a batch");
    KOI_LET(durable::Input input, durable::decode_input(rules_, read.row.bytes));
    if (std::holds_alternative<durable::Opening>(input))
      return damaged(group_, read.position, "has an opening that cannot be read");
    durable::Given given = durable::given_of(std::move(input));
    if (auto* event = std::get_if<Event>(&given)) fill(extended_, *event);
    if (auto* call = std::get_if<core::Call>(&given)) fill(extended_, *call);
    const auto applied = writer_.apply(read.position, read.row.partition, given);
    if (!applied) return applied.error();
    return {};
  }

  Result<void> close() {
    if (!std::exchange(is_open_, false)) return {};
    writer_.close();
    if (writer_.percent_held() < percent_held) return {};
    return write_back();
  }

  Result<void> write_back() {
    durable::Frozen frozen = durable::freeze(writer_, group_, epoch_, nobody_);
    const durable::Take take = [&](std::span<const durable::Changed> which,
                                   std::vector<store::Saved>& into) {
      writer_.customers().take(which, into);
      return Result<void>();
    };
    KOI_TRY(durable::write(frozen, journal_, store_, take));
    writer_.committed();
    return {};
  }

  const store::Journal& journal_;
  store::Store& store_;
  store::Group group_;
  store::Epoch epoch_;
  const plan::Plan& rules_;
  const plan::Plan& extended_;
  std::uint64_t rules_number_;
  Nobody nobody_;
  durable::Writer writer_;
  bool is_open_ = false;
};

// What stands in the folder: whom it is for.
std::string note_of(std::uint64_t turn, Hash128 later) {
  return "koi build 2\nturn " + std::to_string(turn) + "\nbundle " + to_hex(later) + "\n";
}

// The groups that have not come to those positions.
Result<std::vector<store::Group>> behind(const store::Store& store,
                                         const std::vector<store::Position>& ends) {
  std::vector<store::Group> groups;
  for (std::size_t group = 0; group < ends.size(); ++group) {
    KOI_LET(const store::Position position, store.position(static_cast<store::Group>(group)));
    if (position < ends[group]) groups.push_back(static_cast<store::Group>(group));
  }
  return groups;
}

// The groups whose customers were not carried over to that turn, which begins at these positions.
Result<std::vector<store::Group>> not_walked(const store::Store& store,
                                             const std::vector<store::Position>& begins,
                                             std::uint64_t turn) {
  std::vector<store::Group> groups;
  for (std::size_t at = 0; at < begins.size(); ++at) {
    const auto group = static_cast<store::Group>(at);
    KOI_LET(const store::Position position, store.position(group));
    KOI_LET(const std::string bytes, store.kept(group));
    if (position > begins[at] || bytes.empty()) continue;
    KOI_LET(const durable::Kept kept, durable::decode_kept(bytes));
    Mark mark;
    if (!kept.walk.empty()) {
      KOI_LET(mark, decode_mark(kept.walk));
    }
    if (mark.turn < turn || (mark.turn == turn && !mark.is_over)) groups.push_back(group);
  }
  return groups;
}

}  // namespace

Result<void> for_each_group(store::Groups groups, bool at_once,
                            const std::function<Result<void>(store::Group)>& what) {
  std::vector<store::Group> all;
  for (store::Group group = 0; group < groups.count; ++group) all.push_back(group);
  return for_each_group(all, at_once, what);
}

Result<void> for_each_group(const std::vector<store::Group>& groups, bool at_once,
                            const std::function<Result<void>(store::Group)>& what) {
  if (!at_once || groups.size() == 1) {
    for (const store::Group group : groups) KOI_TRY(what(group));
    return {};
  }
  std::vector<Result<void>> results(groups.size());
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < groups.size(); ++i)
    threads.emplace_back([&, i] { results[i] = what(groups[i]); });
  for (std::thread& thread : threads) thread.join();
  for (Result<void>& result : results) KOI_TRY(std::move(result));
  return {};
}

Result<void> Rebuild::clear(const store::Directory& directory) {
  std::error_code error;
  fs::remove_all(folder_of(directory), error);
  if (!error) return {};
  return Error{"unwritable", folder_of(directory).string() +
                                 " cannot be removed: " + error.message() + "; remove it by hand"};
}

Result<std::unique_ptr<Rebuild>> Rebuild::make(
    const store::Directory& directory, const History& history, const plan::Plan& later,
    Hash128 later_name, std::uint64_t turn, std::uint64_t budget,
    const std::function<void(std::uint64_t)>& rows_read) {
  const store::Groups groups = history.groups;
  std::vector<store::Position> last(groups.count);
  for (store::Group group = 0; group < groups.count; ++group) {
    KOI_LET(last[group], history.journal.last(group));
  }
  const auto note_file = folder_of(directory) / "for";
  const std::string note = note_of(turn, later_name);
  KOI_LET(const auto known, read_whole(note_file, longest_note));
  const bool is_begun = known && *known == note;
  if (!is_begun) KOI_TRY(clear(directory));
  KOI_LET(store::Directory folder, store::Directory::open(folder_of(directory)));
  KOI_LET(auto states, store::SqliteStore::open(folder, groups));
  if (!is_begun) KOI_TRY(write_whole(note_file, note));
  std::vector<store::Epoch> epochs(groups.count);
  for (store::Group group = 0; group < groups.count; ++group) {
    KOI_LET(epochs[group], states->take(group));
  }

  // All metrics that any rules have had: what was decided then may have read them.
  std::vector<const plan::Plan*> all;
  for (const Turn& each : history.turns) all.push_back(&history.plans.at(name_of(each)));
  all.push_back(&later);
  const plan::Plan& live = *all[history.turns.size() - 1];
  plan::Plan extended = extend(*all.front(), all);
  for (std::size_t i = 0; i < history.turns.size(); ++i) {
    const bool is_last = i + 1 == history.turns.size();
    const std::vector<store::Position>& ends = is_last ? last : history.turns[i + 1].positions;
    KOI_LET(const std::vector<store::Group> to_replay, behind(*states, ends));
    const match::Index index = to_replay.empty() ? match::Index() : match::Index::build(extended);
    const auto replay_one = [&](store::Group group) {
      Replay replay(history.journal, *states, groups, group, epochs[group], *all[i], extended,
                    index, rules_of(name_of(history.turns[i])), budget / groups.count);
      return replay.run(ends[group], rows_read);
    };
    KOI_TRY(for_each_group(to_replay, history.at_once, replay_one));
    if (is_last) break;
    plan::Plan next = extend(*all[i + 1], all);
    const Carry carry(extended, next, history.turns[i + 1].ways);
    KOI_LET(const std::vector<store::Group> to_walk, not_walked(*states, ends, i + 1));
    const auto walk_one = [&](store::Group group) -> Result<void> {
      const Walk what{.store = *states,
                      .groups = groups,
                      .group = group,
                      .epoch = epochs[group],
                      .from = extended,
                      .to = next,
                      .carry = carry,
                      .now = history.turns[i + 1].since,
                      .rules = {},
                      .complete = {},
                      .walked = {}};
      const auto walked = walk(what, i + 1);
      if (!walked) return walked.error();
      return {};
    };
    if (!carry.changes_nothing()) KOI_TRY(for_each_group(to_walk, history.at_once, walk_one));
    extended = std::move(next);
  }
  std::unique_ptr<Rebuild> made(new Rebuild(std::move(folder), std::move(states),
                                            std::move(extended), live.accumulators.size(),
                                            live.logs.size()));
  for (store::Group group = 0; group < groups.count; ++group) {
    KOI_LET(const auto layouts, made->store_->layouts(group));
    for (const std::string& layout : layouts) KOI_TRY(made->codec_.learn(layout));
  }
  return made;
}

Result<void> Rebuild::complete(core::State& state) const {
  KOI_LET(const auto bytes, store_->load(partition_of(state.id), state.id));
  if (!bytes) return {};  // none of his inputs is in the journal
  auto rebuilt = codec_.decode(*bytes);
  if (!rebuilt) return rebuilt.error();
  for (auto& kept : rebuilt->accumulators)
    if (kept.slot >= accumulators_) state.accumulators.set(kept.slot, std::move(kept.value));
  for (auto& kept : rebuilt->logs)
    if (kept.slot >= logs_) state.logs.set(kept.slot, std::move(kept.value));
  return {};
}

}  // namespace koi::deploy
