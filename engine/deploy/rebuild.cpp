#include "deploy/rebuild.h"

#include <deque>
#include <filesystem>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "core/codec.h"
#include "deploy/arrivals.h"
#include "deploy/bundles.h"
#include "deploy/extend.h"
#include "deploy/files.h"
#include "durable/checkpoint.h"
#include "durable/input.h"
#include "durable/writer.h"

namespace koi::deploy {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t journal_rows_at_once = 4096;
// Of the budget that states changed since the last checkpoint may hold.
constexpr std::uint64_t percent_held = 40;
constexpr std::size_t longest_note = std::size_t{1} << 20;

fs::path folder_of(const store::Directory& directory) { return directory.path() / "build"; }

Error damaged(store::Group group, store::Position position, std::string_view how) {
  return {"corrupt", "the journal of group " + std::to_string(group) + " " + std::string(how) +
                         " at position " + std::to_string(position)};
}

// What the replays of one turn have in common.
struct Replayed {
  const store::Journal& journal;
  store::Store& store;
  store::Groups groups;
  const plan::Plan& rules;
  const plan::Plan& extended;
  const match::Index& index;
  std::uint64_t rules_number = 0;
  std::uint64_t budget = 0;  // of each group
  const std::function<void(std::uint64_t)>& rows_read;
  Witness* witness = nullptr;
  Arrivals arrivals;
};

// One group's part of one turn.
class Replay {
 public:
  Replay(Replayed& turn, store::Group group, store::Epoch epoch, store::Position last)
      : turn_(turn),
        journal_(turn.journal),
        store_(turn.store),
        group_(group),
        epoch_(epoch),
        last_(last),
        deeds_(turn.witness != nullptr ? static_cast<durable::Deeds&>(*turn.witness) : nowhere_),
        writer_(turn.extended, turn.index, turn.store, turn.groups, group, turn.budget, deeds_) {}

  // As the store has it.
  Result<void> learn() {
    KOI_TRY(writer_.learn(turn_.rules_number));
    writer_.letters().keep_arrivals();
    KOI_LET(auto set_aside, journal_.set_aside(group_));
    writer_.leave_out(std::move(set_aside));
    KOI_LET(at_, store_.position(group_));
    KOI_LET(const std::string bytes, store_.kept(group_));
    if (!bytes.empty()) {
      KOI_LET(const durable::Kept kept, durable::decode_kept(bytes));
      writer_.begin_behind(at_, kept.stamp);
    }
    for (store::Group from = 0; from < turn_.groups.count; ++from)
      turn_.arrivals.stored(from, group_, writer_.letters().taken(from));
    return {};
  }
  // Behind that, of all groups: hands out what it wrote and others have not stored yet.
  void offer() {
    for (store::Group to = 0; to < turn_.groups.count; ++to) {
      const auto& open = writer_.letters().open(to);
      turn_.arrivals.put({open.begin(), open.end()});
    }
  }

  // From behind the store's position up to `last`, or until somebody is wanted who has not come
  // yet: then it is called again.
  Result<std::optional<Arrivals::Wanted>> go_on() {
    while (at_ < last_) {
      if (next_ == rows_.size()) {
        KOI_LET(rows_, journal_.read(group_, at_ + 1,
                                     std::min<store::Position>(journal_rows_at_once, last_ - at_)));
        next_ = 0;
        if (rows_.empty()) return damaged(group_, at_, "ends before its time");
      }
      while (next_ < rows_.size()) {
        KOI_LET(auto wanted, take(rows_[next_]));
        if (wanted) return wanted;
        at_ = rows_[next_++].position;
        has_gone_on_ = true;
      }
      turn_.rows_read(rows_.size());
    }
    if (std::exchange(has_gone_on_, false)) {
      KOI_TRY(close());
      KOI_TRY(write_back());
    }
    return std::optional<Arrivals::Wanted>();
  }

  store::Group group() const { return group_; }
  store::Position at() const { return at_; }
  store::Position last() const { return last_; }
  // To what the journal has by now, where it is of rules that are live; else it has an end.
  Result<void> extend(bool is_live) {
    const store::Position before = last_;
    if (is_live) {
      KOI_LET(last_, journal_.last(group_));
    }
    if (last_ > before) return {};
    return damaged(group_, last_, "lacks a customer who has come to another group");
  }

 private:
  Result<std::optional<Arrivals::Wanted>> take(const store::Read& read) {
    if (const auto opening = durable::decode_opening(read.row.bytes)) {
      KOI_TRY(close());
      if (opening->rules != turn_.rules_number)
        return damaged(group_, read.position, "names other rules than deployment.json");
      is_open_ = true;
      if (turn_.witness != nullptr) turn_.witness->opens(group_, *opening);
      KOI_TRY(writer_.open(read.position, *opening));
      turn_.arrivals.put(writer_.letters().take_new());
      return std::optional<Arrivals::Wanted>();
    }
    if (!is_open_) return damaged(group_, read.position, "does not begin a batch");
    KOI_LET(durable::Input input, durable::decode_input(turn_.rules, read.row.bytes));
    if (std::holds_alternative<durable::Opening>(input))
      return damaged(group_, read.position, "has an opening that cannot be read");
    durable::Given given = durable::given_of(std::move(input));
    fill(turn_.extended, given);
    if (auto* letter = std::get_if<durable::LetterFrom>(&given)) {
      KOI_LET(auto wanted, bring(*letter));
      if (wanted) return wanted;
    }
    const auto applied = writer_.apply(read.position, read.row.partition, given);
    if (!applied) return applied.error();
    turn_.arrivals.put(writer_.letters().take_new());
    return std::optional<Arrivals::Wanted>();
  }

  // Whoever comes does so as his replay has made him.
  Result<std::optional<Arrivals::Wanted>> bring(durable::LetterFrom& letter) {
    const bool comes = std::holds_alternative<durable::Arrival>(letter.told) &&
                       letter.number == writer_.letters().taken(letter.from) + 1;
    if (!comes) return std::optional<Arrivals::Wanted>();
    const Arrivals::Wanted wanted{letter.from, letter.number};
    const auto arrived = turn_.arrivals.take(group_, wanted);
    if (!arrived) return std::optional(wanted);
    KOI_LET(letter, durable::read(*arrived, turn_.extended));
    return std::optional<Arrivals::Wanted>();
  }

  Result<void> close() {
    if (!std::exchange(is_open_, false)) return {};
    writer_.close();
    if (writer_.percent_held() < percent_held) return {};
    return write_back();
  }

  Result<void> write_back() {
    for (store::Group to = 0; to < turn_.groups.count; ++to)
      if (to != group_) writer_.letters().arrived(to, turn_.arrivals.stored(group_, to));
    durable::Frozen frozen = durable::freeze(writer_, group_, epoch_, deeds_);
    const durable::Take take = [&](std::span<const durable::Changed> which,
                                   std::vector<store::Saved>& into) {
      writer_.customers().take(which, into);
      return Result<void>();
    };
    KOI_TRY(durable::write(frozen, journal_, store_, take));
    writer_.committed();
    for (store::Group from = 0; from < turn_.groups.count; ++from)
      turn_.arrivals.stored(from, group_, writer_.letters().taken(from));
    return {};
  }

  Replayed& turn_;
  const store::Journal& journal_;
  store::Store& store_;
  store::Group group_;
  store::Epoch epoch_;
  store::Position at_ = 0, last_;
  durable::Nowhere nowhere_;  // what was decided then has left then
  durable::Deeds& deeds_;     // that, or the witness
  durable::Writer writer_;
  std::vector<store::Read> rows_;
  std::size_t next_ = 0;  // among the rows
  bool is_open_ = false, has_gone_on_ = false;
};

Error nobody_comes(store::Group group, const Arrivals::Wanted& wanted) {
  return {"corrupt", "the journal of group " + std::to_string(group) +
                         " has a customer who never left group " + std::to_string(wanted.from)};
}

// Each on a thread of its own.
Result<void> replay_at_once(std::deque<Replay>& replays, Arrivals& arrivals, store::Groups groups,
                            bool is_live) {
  const auto run = [&](Replay& replay) -> Result<void> {
    for (;;) {
      KOI_LET(const auto wanted, replay.go_on());
      if (wanted) {
        if (arrivals.wait_for(replay.group(), *wanted)) continue;
        return arrivals.is_broken_off() ? Result<void>()
                                        : Result<void>(nobody_comes(replay.group(), *wanted));
      }
      if (!arrivals.rest(replay.group())) return {};
      KOI_TRY(replay.extend(is_live));
    }
  };
  return for_each_group(groups, true, [&](store::Group group) {
    auto done = run(replays[group]);
    if (!done) arrivals.break_off();
    return done;
  });
}

// One after the other, each as far as it comes.
Result<void> replay_in_turn(std::deque<Replay>& replays, bool is_live) {
  for (;;) {
    bool has_moved = false;
    std::optional<std::pair<store::Group, Arrivals::Wanted>> waits;
    for (Replay& replay : replays) {
      const store::Position before = replay.at();
      KOI_LET(const auto wanted, replay.go_on());
      has_moved = has_moved || replay.at() > before;
      if (wanted) waits = {replay.group(), *wanted};
    }
    if (!waits) return {};
    if (has_moved) continue;
    Replay& from = replays[waits->second.from];
    if (from.at() < from.last()) return nobody_comes(waits->first, waits->second);
    KOI_TRY(from.extend(is_live));
  }
}

// What stands in the folder: whom it is for.
std::string note_of(std::uint64_t turn, Hash128 later) {
  return "koi build 2\nturn " + std::to_string(turn) + "\nbundle " + to_hex(later) + "\n";
}

// Has any group not come to its position?
Result<bool> is_any_behind(const store::Store& store, const std::vector<store::Position>& ends) {
  for (std::size_t group = 0; group < ends.size(); ++group) {
    KOI_LET(const store::Position position, store.position(static_cast<store::Group>(group)));
    if (position < ends[group]) return true;
  }
  return false;
}

// One turn, of all groups: who has come to his end may have what another one lacks.
Result<void> replay(Replayed& turn, const std::vector<store::Epoch>& epochs,
                    const std::vector<store::Position>& ends, bool at_once, bool is_live) {
  std::deque<Replay> replays;
  for (store::Group group = 0; group < turn.groups.count; ++group) {
    replays.emplace_back(turn, group, epochs[group], ends[group]);
    KOI_TRY(replays.back().learn());
  }
  for (Replay& each : replays) each.offer();
  if (at_once && replays.size() > 1)
    return replay_at_once(replays, turn.arrivals, turn.groups, is_live);
  return replay_in_turn(replays, is_live);
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
  const bool is_begun = known && *known == note && history.witness == nullptr;
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
    KOI_LET(const bool is_behind, is_any_behind(*states, ends));
    if (is_behind) {
      const match::Index index = match::Index::build(extended);
      if (history.witness != nullptr) history.witness->begins(i, *all[i]);
      Replayed replayed{history.journal,
                        *states,
                        groups,
                        *all[i],
                        extended,
                        index,
                        rules_of(name_of(history.turns[i])),
                        budget / groups.count,
                        rows_read,
                        history.witness,
                        Arrivals(groups)};
      KOI_TRY(replay(replayed, epochs, ends, history.at_once, is_last));
    }
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
