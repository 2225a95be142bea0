#include "serve/audit_draws.h"

#include <algorithm>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "core/accounts.h"
#include "core/codec.h"
#include "core/merge.h"
#include "deploy/bundles.h"
#include "deploy/deploy.h"
#include "deploy/deployment.h"
#include "deploy/link.h"
#include "deploy/rebuild.h"
#include "deploy/states.h"
#include "ledger/draw.h"
#include "serve/audit.h"
#include "store/sqlite_journal.h"
#include "store/sqlite_store.h"

namespace koi::serve {

namespace {

constexpr std::size_t customers_at_once = 4096;
constexpr std::size_t most_told = 100;  // of findings, by group

// A prize of a draw, over all rules that have had it: which of those that are called the same.
struct Stocked {
  std::string draw, prize;
  std::size_t number = 0;
  friend auto operator<=>(const Stocked&, const Stocked&) = default;
};

Stocked stocked(const std::string& draw, const plan::PrizeDraw& of, std::size_t prize) {
  const auto begin = of.prizes.begin();
  const auto same =
      std::count_if(begin, begin + static_cast<std::ptrdiff_t>(prize),
                    [&](const auto& each) { return each.name == of.prizes[prize].name; });
  return {draw, of.prizes[prize].name, static_cast<std::size_t>(same)};
}

// One draw, as it must be.
struct Outcome {
  Hash128 key;
  std::uint64_t customer = 0;  // a hash of his id
  std::uint32_t prize = 0;     // among the names
  friend bool operator<(const Outcome& one, const Outcome& other) { return one.key < other.key; }
};

class Redrawing final : public deploy::Witness {
 public:
  Redrawing(store::Groups groups, const std::vector<deploy::Turn>& turns, ledger::Key key,
            const plan::Plan* published)
      : groups_(groups), turns_(turns), key_(key), published_(published), of_(groups.count) {}

  void begins(std::size_t turn, const plan::Plan& rules) override {
    end_turn();
    turn_ = turn;
    rules_ = &rules;
  }
  void opens(store::Group group, const durable::Opening& opening) override {
    if (opening.semantics != durable::semantics) ++of_[group].by_others;
  }
  void take(store::Group group, std::vector<durable::Deed> deeds) override {
    for (const durable::Deed& deed : deeds)
      if (deed.effect.action == core::Action::Give) gives(of_[group], group, deed);
  }

  // Behind all turns: what was told of them.
  void finish();
  void compare(const store::TimelineEntry& entry, bool is_copy);
  void compare(const core::Grant& grant, const plan::Plan& plan, const core::State& holder);
  DrawsAudit audit();

 private:
  struct Finding {
    Timestamp at;
    std::string what;
  };
  // A prize that is an incentive counts when it is given in its turn.
  struct Pending {
    Hash128 key;
    Stocked prize;
  };
  struct Of {  // a group: its own thread's while the journal is decided again
    std::map<Stocked, std::int64_t> given;
    std::map<Stocked, std::uint64_t> was_out;  // in this turn: the draws that found none left
    std::set<Stocked> gave;                    // in this turn
    std::vector<Pending> pending;
    std::vector<Outcome> outcomes;
    std::vector<Finding> findings;
    std::set<std::string> drew;  // in this turn
    std::uint64_t by_others = 0;
  };

  void gives(Of& of, store::Group group, const durable::Deed& deed);
  void draws(Of& of, store::Group group, const durable::Deed& deed,
             const plan::Incentive& incentive, const plan::PrizeDraw& draw);
  void count(Of& of, const Stocked& prize) {
    ++of.given[prize];
    of.gave.insert(prize);
  }
  void end_turn();
  void compare_with_published();
  std::uint32_t number_of(const std::string& draw, const std::string& prize);
  const Outcome* outcome_of(Hash128 key) const;
  static void find(Of& of, Timestamp at, std::string what) {
    if (of.findings.size() < most_told) of.findings.push_back({at, std::move(what)});
  }

  const store::Groups groups_;
  const std::vector<deploy::Turn>& turns_;
  const ledger::Key key_;
  const plan::Plan* published_;
  std::size_t turn_ = 0;
  const plan::Plan* rules_ = nullptr;
  std::vector<Of> of_;                                      // by group
  std::mutex mutex_;                                        // of the names
  std::vector<std::pair<std::string, std::string>> names_;  // of a draw and a prize of it
  std::map<std::pair<std::string, std::string>, std::uint32_t> numbers_;
  std::vector<Outcome> outcomes_;  // of all groups, ascending
  std::set<Hash128> told_, in_hand_;
  std::uint64_t beyond_ = 0;  // lines of the timeline that are later than the journal
  DrawsAudit audit_;
};

std::uint32_t Redrawing::number_of(const std::string& draw, const std::string& prize) {
  const std::lock_guard lock(mutex_);
  const auto [found, is_new] =
      numbers_.try_emplace({draw, prize}, static_cast<std::uint32_t>(names_.size()));
  if (is_new) names_.emplace_back(draw, prize);
  return found->second;
}

void Redrawing::gives(Of& of, store::Group group, const durable::Deed& deed) {
  const core::Gift& gift = *deed.effect.gift;
  const auto waits = std::find_if(of.pending.begin(), of.pending.end(),
                                  [&](const Pending& each) { return each.key == deed.effect.key; });
  if (waits != of.pending.end()) {
    count(of, waits->prize);
    of.pending.erase(waits);
  }
  const plan::Incentive& incentive = rules_->incentives[gift.incentive.index()];
  if (const auto* draw = std::get_if<plan::PrizeDraw>(&incentive.what))
    draws(of, group, deed, incentive, *draw);
}

void Redrawing::draws(Of& of, store::Group group, const durable::Deed& deed,
                      const plan::Incentive& incentive, const plan::PrizeDraw& draw) {
  const core::Effect& effect = deed.effect;
  const core::Gift& gift = *effect.gift;
  const std::string& name = incentive.symbol.name;
  const std::string where = "group " + std::to_string(group) + ", position " +
                            std::to_string(deed.position) + ": `" + deed.customer + "`, `" + name +
                            "` (" + to_hex(effect.key) + "): ";
  of.drew.insert(name);
  // What is not settled by now never will be: it was refused, and is in the hat again.
  of.pending.clear();
  std::vector<std::uint64_t> weights;
  for (const plan::PrizeDraw::Prize& each : draw.prizes) weights.push_back(each.weight);
  const auto is_left = [&](std::size_t i) {
    const plan::PrizeDraw::Prize& prize = draw.prizes[i];
    const bool was_left = std::find(gift.missed.begin(), gift.missed.end(), i) == gift.missed.end();
    const Stocked which = stocked(name, draw, i);
    const std::int64_t given = of.given[which];
    // One group gives all of it. Of several, another may have given what this one has not: how
    // often it was out of stock is counted, and told where some were left in the end.
    if (groups_.count == 1 ? was_left != (given < prize.stock)
                           : (was_left ? given >= prize.stock : prize.stock == plan::unlimited))
      find(of, effect.time,
           where + "`" + prize.name + "` was " + (was_left ? "" : "not ") + "left, and " +
               std::to_string(given) + " of them were given");
    if (!was_left) ++of.was_out[which];
    return was_left;
  };
  ledger::Chance chance(key_, to_hex(effect.key));
  const ledger::Drawn drawn = ledger::draw(weights, is_left, chance);
  const std::string prize = drawn.prize ? draw.prizes[*drawn.prize].name : "nothing";
  if (!drawn.prize || prize != gift.prize)
    find(of, effect.time,
         where + "the rules gave `" + gift.prize + "`, and the key makes it `" + prize + "`");
  of.outcomes.push_back({effect.key, hash64(deed.customer), number_of(name, gift.prize)});
  if (!drawn.prize) return;
  const Stocked which = stocked(name, draw, *drawn.prize);
  if (draw.prizes[*drawn.prize].gift.is_none()) return count(of, which);
  // The key under which a draw hands out what it has drawn.
  const Hash128 inner = HashInput()
                            .text("prize")
                            .number(effect.key.high)
                            .number(effect.key.low)
                            .hash128(rules_->seed);
  of.pending.push_back({inner, which});
}

// All groups have come to the end of a turn.
void Redrawing::end_turn() {
  if (rules_ == nullptr) return;
  compare_with_published();
  std::map<Stocked, std::int64_t> all;
  for (const Of& of : of_)
    for (const auto& [prize, given] : of.given) all[prize] += given;
  for (const plan::Incentive& each : rules_->incentives) {
    const auto* draw = std::get_if<plan::PrizeDraw>(&each.what);
    if (draw == nullptr) continue;
    for (std::size_t i = 0; i < draw->prizes.size(); ++i) {
      const std::int64_t stock = draw->prizes[i].stock;
      const Stocked prize = stocked(each.symbol.name, *draw, i);
      const bool gave = std::any_of(of_.begin(), of_.end(),
                                    [&](const Of& of) { return of.gave.contains(prize); });
      const std::string what = "`" + prize.prize + "` of `" + prize.draw + "`: ";
      const std::string given = std::to_string(all[prize]) + " of " + std::to_string(stock);
      if (gave && all[prize] > stock)
        find(of_[0], turns_[turn_].since, what + given + " were given");
      std::uint64_t out = 0;
      for (const Of& of : of_)
        if (const auto found = of.was_out.find(prize); found != of.was_out.end())
          out += found->second;
      if (groups_.count > 1 && out > 0 && all[prize] < stock)
        audit_.notes.push_back(what + std::to_string(out) + " draws found it out of stock, and " +
                               given +
                               " were given in the end: what was left was promised to somebody "
                               "who was then refused it");
    }
  }
  for (Of& of : of_) {
    of.was_out.clear();
    of.gave.clear();
    of.drew.clear();
  }
}

// Were the draws by which something was drawn those that were published?
void Redrawing::compare_with_published() {
  if (published_ == nullptr) return;
  std::set<std::string> drew;
  for (const Of& of : of_) drew.insert(of.drew.begin(), of.drew.end());
  const auto draw_of = [](const plan::Plan& plan,
                          const std::string& name) -> const plan::PrizeDraw* {
    for (const plan::Incentive& each : plan.incentives)
      if (each.symbol.name == name) return std::get_if<plan::PrizeDraw>(&each.what);
    return nullptr;
  };
  const auto is_same = [](const plan::PrizeDraw::Prize& one, const plan::PrizeDraw::Prize& other) {
    return one.name == other.name && one.points == other.points && one.weight == other.weight &&
           one.stock == other.stock && one.gift.is_none() == other.gift.is_none();
  };
  for (const std::string& name : drew) {
    const plan::PrizeDraw *was = draw_of(*rules_, name), *says = draw_of(*published_, name);
    if (says != nullptr && std::equal(was->prizes.begin(), was->prizes.end(), says->prizes.begin(),
                                      says->prizes.end(), is_same))
      continue;
    const Timestamp since = turns_[turn_].since;
    find(of_[0], since,
         "`" + name + "`: the rules that were live since " +
             to_string(since, *rules_->policy.zone) +
             " have other prizes, weights or stocks than those that were given here");
  }
}

void Redrawing::finish() {
  end_turn();
  for (Of& of : of_) {
    outcomes_.insert(outcomes_.end(), of.outcomes.begin(), of.outcomes.end());
    of.outcomes = {};
  }
  std::sort(outcomes_.begin(), outcomes_.end());
}

const Outcome* Redrawing::outcome_of(Hash128 key) const {
  const auto found = std::lower_bound(outcomes_.begin(), outcomes_.end(), Outcome{.key = key});
  return found == outcomes_.end() || found->key != key ? nullptr : &*found;
}

void Redrawing::compare(const store::TimelineEntry& entry, bool is_copy) {
  if (entry.line.find(R"("prize":)") == std::string::npos) return;
  const auto line = nlohmann::json::parse(entry.line, nullptr, false);
  if (!line.is_object()) return;
  const auto text = [&](const char* name) {
    const auto place = line.find(name);
    return place != line.end() && place->is_string() ? place->get<std::string>() : std::string();
  };
  if (text("action") != "give") return;
  const std::string what = "the timeline of `" + entry.customer + "` has the prize `" +
                           text("prize") + "` of `" + text("name") + "` (" + text("key") + ")";
  const Outcome* const must = outcome_of(entry.key);
  if (must == nullptr || text("key") != to_hex(entry.key)) {
    if (is_copy)
      ++beyond_;
    else
      find(of_[0], entry.time, what + ", and the journal has no such draw");
    return;
  }
  const auto& [draw, prize] = names_[must->prize];
  if (text("name") != draw || text("prize") != prize)
    find(of_[0], entry.time, what + ", and `" + draw + "` makes it `" + prize + "`");
  else if (hash64(entry.customer) != must->customer || text("customer") != entry.customer)
    find(of_[0], entry.time, what + ", and it was somebody else who won it");
  else
    told_.insert(entry.key);
}

void Redrawing::compare(const core::Grant& grant, const plan::Plan& plan,
                        const core::State& holder) {
  const plan::Incentive& incentive = plan.incentives[grant.incentive.index()];
  if (!std::holds_alternative<plan::PrizeDraw>(incentive.what)) return;
  const std::string what = "`" + holder.id + "` has the prize `" + grant.prize + "` of `" +
                           incentive.symbol.name + "` in hand (" + to_hex(grant.key) + ")";
  const Outcome* const must = outcome_of(grant.key);
  if (must == nullptr) return find(of_[0], grant.at, what + ", and the journal has no such draw");
  const auto& [draw, prize] = names_[must->prize];
  if (draw != incentive.symbol.name || prize != grant.prize)
    return find(of_[0], grant.at, what + ", and `" + draw + "` makes it `" + prize + "`");
  const bool is_his = hash64(holder.id) == must->customer ||
                      std::any_of(holder.same.begin(), holder.same.end(),
                                  [&](const auto& id) { return hash64(id) == must->customer; });
  if (!is_his) return find(of_[0], grant.at, what + ", and it was somebody else who won it");
  in_hand_.insert(grant.key);
}

DrawsAudit Redrawing::audit() {
  audit_.key = key_;
  audit_.draws = outcomes_.size();
  audit_.told = told_.size();
  audit_.in_hand = in_hand_.size();
  for (const Outcome& each : outcomes_) {
    const auto& [draw, prize] = names_[each.prize];
    ++audit_.drawn[draw][prize];
  }
  std::vector<Finding> all;
  std::uint64_t by_others = 0;
  for (Of& of : of_) {
    std::move(of.findings.begin(), of.findings.end(), std::back_inserter(all));
    by_others += of.by_others;
  }
  std::stable_sort(all.begin(), all.end(),
                   [](const Finding& one, const Finding& other) { return one.at < other.at; });
  for (Finding& each : all) audit_.findings.push_back(std::move(each.what));
  if (by_others > 0)
    audit_.notes.push_back(std::to_string(by_others) +
                           " batches of the journal were decided by another version of Koi, which "
                           "may have decided otherwise than this one: where a draw of theirs "
                           "differs, ask that version");
  if (beyond_ > 0)
    audit_.notes.push_back(std::to_string(beyond_) +
                           " draws that the timeline has are not in the journal: they were made "
                           "behind the moment of this backup");
  return std::move(audit_);
}

}  // namespace

std::string draws_commitment(const plan::Plan& plan) {
  return ledger::commitment(core::Accounts(plan).secret("draws"));
}

Result<DrawsAudit> audit_draws(const store::Directory& directory, const store::Journal& journal,
                               const store::Store& store, const store::Timeline& timeline,
                               store::Groups groups, bool is_copy, const DrawsQuestion& question) {
  KOI_LET(const auto deployment, deploy::read_deployment(directory));
  if (!deployment || deployment->turns.empty())
    return Error{"missing", "nothing was put live here yet"};
  const deploy::Bundles bundles(directory);
  deploy::Plans plans(bundles);
  for (const deploy::Turn& turn : deployment->turns) KOI_TRY(plans.of(turn));
  KOI_LET(const plan::Plan* const live, plans.of(deployment->turns.back()));
  const ledger::Key own = core::Accounts(*live).secret("draws");
  Redrawing redrawing(groups, deployment->turns, question.key.value_or(own), question.published);
  {
    auto rebuild = deploy::Rebuild::make(
        directory, {journal, groups, deployment->turns, plans.all(), true, &redrawing}, *live,
        deploy::name_of(deployment->turns.back()), deployment->turns.size(), question.room,
        [](std::uint64_t) {});
    if (!rebuild && rebuild.error().code == "gap")
      return Error{
          "erased",
          "the beginning of the journal is not kept any more; what was left of the prizes "
          "follows from it, so no draw can be made again here: audit a backup that has it"};
    if (!rebuild) return rebuild.error();
  }
  KOI_TRY(deploy::Rebuild::clear(directory));
  redrawing.finish();
  KOI_TRY(timeline.each([&](const store::TimelineEntry& entry) {
    redrawing.compare(entry, is_copy);
    return Result<void>();
  }));
  core::Codec codec(*live);
  for (store::Group group = 0; group < groups.count; ++group) {
    KOI_LET(const auto layouts, store.layouts(group));
    for (const std::string& layout : layouts) KOI_TRY(codec.learn(layout));
  }
  for (Partition partition = 0; partition < partition_count; ++partition) {
    std::string after;
    for (;;) {
      KOI_LET(const auto piece, store.scan(partition, after, customers_at_once));
      for (const store::Saved& saved : piece) {
        KOI_LET(const core::State state, codec.decode(saved.bytes));
        if (state.holdings.empty()) continue;
        for (const core::Grant& grant : state.holdings[0].grants)
          redrawing.compare(grant, *live, state);
      }
      if (piece.size() < customers_at_once) break;
      after = piece.back().customer;
    }
  }
  return redrawing.audit();
}

Result<DrawsAudit> audit_draws(const std::filesystem::path& data, const DrawsQuestion& question) {
  KOI_LET(const AtRest at_rest, open_at_rest(data));
  const auto& [directory, deployment] = at_rest;
  KOI_LET(const auto journal, store::SqliteJournal::open(directory, {}));
  KOI_LET(const deploy::States states,
          deploy::open_states(directory, journal->groups(), deployment));
  KOI_LET(const auto timeline, store::Timeline::open(directory));
  const bool is_copy = std::filesystem::exists(data / "restored.json");
  return audit_draws(directory, *journal, *states.store, *timeline, journal->groups(), is_copy,
                     question);
}

std::string told(const DrawsAudit& audit) {
  std::string text;
  for (const auto& [draw, prizes] : audit.drawn) {
    text += draw + ":";
    for (const auto& [prize, count] : prizes) text += " " + std::to_string(count) + " " + prize;
    text += "\n";
  }
  text += std::to_string(audit.draws) + " draws were made again, of which the timeline tells " +
          std::to_string(audit.told) + " and customers have " + std::to_string(audit.in_hand) +
          " in hand\n";
  for (const std::string& note : audit.notes) text += "note: " + note + "\n";
  for (const std::string& finding : audit.findings) text += "WRONG: " + finding + "\n";
  text += audit.findings.empty() ? "every draw is right\n" : "NOT every draw is right\n";
  return text;
}

}  // namespace koi::serve
