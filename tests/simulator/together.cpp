#include "together.h"

#include <algorithm>
#include <functional>
#include <memory>
#include <set>
#include <span>
#include <utility>

#include "core/accounts.h"
#include "core/escrow.h"
#include "durable/crash_watch.h"
#include "durable/rows.h"
#include "durable/writer.h"
#include "match/index.h"
#include "notes.h"
#include "store/memory.h"

namespace koi::simulator {

namespace {

constexpr std::uint64_t all_memory = std::uint64_t{1} << 40;

// Looks at a group behind each of its turns.
class Looking final : public durable::CrashWatch {
 public:
  Looking(std::span<Mark> marks, std::function<void(store::Group)> look)
      : CrashWatch(marks), look_(std::move(look)) {}
  void stepping(store::Group group, store::SetAside what) override {
    CrashWatch::stepping(group, what);
    look_(group);
  }
  void rests(store::Group group) override {
    CrashWatch::rests(group);
    look_(group);
  }

 private:
  std::function<void(store::Group)> look_;
};

// What one group's customers have had of an account, at each stamp: the most, and the last.
struct Had {
  std::int64_t most = 0, last = 0;
};
using HadAt = std::map<Timestamp, Had>;

// The most at any moment of these.
std::int64_t most_between(const HadAt& had, Timestamp since, Timestamp now) {
  auto from = had.upper_bound(since);
  std::int64_t most = 0;
  if (from != had.begin()) {
    const auto before = std::prev(from);
    most = before->first == since ? before->second.most : before->second.last;
  }
  for (; from != had.end() && from->first <= now; ++from) most = std::max(most, from->second.most);
  return most;
}

// A refusal for a budget, and since when whoever is refused has been there.
struct Refused {
  std::string customer;
  const plan::Incentive* incentive = nullptr;
  std::vector<plan::BudgetId> budgets;  // any of which may have had too little
  Timestamp since, at;
};

// The most that somebody may want of a budget who is given one (programs/money.koi).
std::int64_t most_wanted(const decltype(plan::Incentive::what)& what, bool is_money) {
  constexpr std::int64_t most_points = 20;
  if (std::holds_alternative<plan::Points>(what)) return most_points;
  if (!is_money) return 1;
  if (const auto* packet = std::get_if<plan::RedPacket>(&what))
    return std::max({packet->from, packet->to, packet->total});
  if (const auto* coupon = std::get_if<plan::Coupon>(&what)) return coupon->off;
  return 1;
}

class Together final : public durable::Deeds {
 public:
  Together(const Rules& rules, const store::Journal& journal, store::Groups groups, Record& record,
           Replay& into)
      : plan_(*rules.plan),
        journal_(journal),
        record_(record),
        into_(into),
        notes_(into, record),
        index_(match::Index::build(plan_)),
        store_(groups),
        marks_(groups.count),
        looking_(marks_, [this](store::Group group) { note_had(group); }) {
    for (store::Group group = 0; group < groups.count; ++group) {
      Side& side = sides_.emplace_back();
      side.group = group;
      side.writer = std::make_unique<durable::Writer>(plan_, index_, store_, groups, group,
                                                      all_memory, *this);
      side.writer->letters().keep_none();
      side.writer->watch(&looking_);
      auto rows = journal.read(group, 1, SIZE_MAX / 2);
      auto aside = journal.set_aside(group);
      if (!rows || !aside) {
        record_.breach("the journal cannot be read");
        continue;
      }
      side.rows = *std::move(rows);
      side.writer->leave_out(*aside);
      into_.set_aside.push_back(*std::move(aside));
      into_.openings.emplace_back();
    }
  }

  void run() {
    for (;;) {
      Timestamp next = Timestamp::never();
      for (const Side& side : sides_)
        if (const auto stamp = next_stamp(side)) next = std::min(next, *stamp);
      if (next == Timestamp::never() || record_.broken()) break;
      for (Side& side : sides_)
        while (!record_.broken() && next_stamp(side) == next) step(side);
      look(next);
    }
    for (Side& side : sides_) {
      into_.ends.push_back(side.rows.size());
      auto& shared = into_.shared.emplace_back();
      for (store::Shared& each : side.writer->freeze_shared())
        if (!each.bytes.empty()) shared.emplace(std::move(each.key), std::move(each.bytes));
    }
    for (const std::string& id : customers_) {
      const Partition partition = partition_of(id);
      const auto state = sides_[partition % sides_.size()].writer->customers().of(partition, id);
      if (!state) return record_.breach("customer " + id + ": " + state.error().what);
      into_.customers.emplace(id, **state);
      sides_[partition % sides_.size()].writer->customers().unchanged();
    }
  }

  // --- Deeds

  void take(store::Group group, std::vector<durable::Deed> deeds) override {
    for (durable::Deed& deed : deeds) {
      customers_.insert(deed.customer);
      note_refusal(deed);
      if (deed.effect.action == core::Action::Merge)
        notes_.joined(
            {group, deed.position, std::string(deed.effect.value.as_text()), deed.customer});
      std::vector<core::Effect> one;
      one.push_back(std::move(deed.effect));
      notes_.effects({&plan_, group, deed.position}, deed.customer, one);
    }
  }
  std::string freeze(store::Group) override { return {}; }
  Result<void> thaw(store::Group, std::string_view) override { return {}; }

 private:
  struct Side {
    store::Group group = 0;
    std::unique_ptr<durable::Writer> writer;
    std::vector<store::Read> rows;
    std::size_t done = 0;  // of these
  };

  static std::optional<Timestamp> next_stamp(const Side& side) {
    if (side.done == side.rows.size()) return std::nullopt;
    const auto opening = durable::decode_opening(side.rows[side.done].row.bytes);
    return opening ? opening->stamp : Timestamp::ever();
  }

  void step(Side& side) {
    const store::Read& first = side.rows[side.done++];
    const auto opening = durable::decode_opening(first.row.bytes);
    if (!opening) return record_.breach("a batch does not begin with its opening");
    auto& openings = into_.openings[side.group];
    if (!openings.empty() && opening->stamp < openings.back().second)
      record_.breach("the clock of group " + std::to_string(side.group) + "'s journal goes back");
    openings.emplace_back(first.position, opening->stamp);
    stamp_ = opening->stamp;
    first_ = first.position;
    durable::Batch batch{first.position, *opening, {{}}};
    for (; side.done < side.rows.size(); ++side.done) {
      const store::Read& read = side.rows[side.done];
      if (durable::decode_opening(read.row.bytes)) break;
      auto input = durable::decode_input(plan_, read.row.bytes);
      if (!input) return record_.breach("a row cannot be read: " + input.error().what);
      durable::Given given = durable::given_of(*std::move(input));
      auto request = note(side, read.position, given);
      batch.parts[0].push_back({std::move(given), read.row.partition, std::move(request), 0});
    }
    if (const auto stepped = side.writer->step(batch); !stepped)
      record_.breach("a batch cannot be decided: " + stepped.error().what);
    side.writer->letters().take_new();  // those that came stand in the journals
  }

  // What came, and what it will be answered.
  std::shared_ptr<durable::Request> note(const Side& side, store::Position position,
                                         const durable::Given& given) {
    if (const std::string_view whose = durable::customer_of(given); !whose.empty())
      customers_.emplace(whose);
    const Place here{&plan_, side.group, position};
    if (const auto* attempt = std::get_if<durable::AttemptFor>(&given))
      notes_.attempt(attempt->key);
    if (const auto* came = std::get_if<durable::ReceiptFor>(&given)) {
      const auto& aside = into_.set_aside[side.group];
      durable::ReceiptFor stamped = *came;
      stamped.receipt.time = stamp_;
      notes_.receipt(plan_, stamped,
                     !std::binary_search(aside.begin(), aside.end(), store::SetAside{position, 0}));
    }
    if (const auto* event = std::get_if<Event>(&given)) {
      notes_.owners(plan_, *event);
      Event seen = *event;
      seen.time = std::min(seen.time, stamp_);
      return std::make_shared<durable::Request>(
          1, [this, here, seen](const Result<std::vector<durable::Answer>>& answers) {
            if (!answers) return;
            notes_.standing(plan_, seen, answers->front().standing);
            notes_.consent(here, seen, answers->front().standing);
          });
    }
    const auto* call = std::get_if<core::Call>(&given);
    if (!call) return nullptr;
    const std::size_t number = into_.calls.size();
    into_.calls.push_back({side.group, position, stamp_, *call, true, {}});
    if (call->kind == core::Call::Kind::Stock) into_.pooled.push_back({call->together, {}, {}});
    return std::make_shared<durable::Request>(
        1, [this, number](const Result<std::vector<durable::Answer>>& answers) {
          Called& called = into_.calls[number];
          if (!answers) {  // its customer has gone: it is asked again where he is
            called.is_first = false;
            return;
          }
          called.is_first = answers->front().standing != core::Standing::Duplicate;
          if (answers->front().call)
            called.answer = *answers->front().call;
          else
            called.is_set_aside = sets_aside(called.group);
        });
  }

  // Is something of the batch at hand set aside, or what was tried again in it?
  bool sets_aside(store::Group group) const {
    const auto& aside = into_.set_aside[group];
    const auto first = std::lower_bound(aside.begin(), aside.end(), store::SetAside{first_, 0});
    return first != aside.end() && first->position <= sides_[group].writer->position();
  }

  // --- Moments

  void note_refusal(const durable::Deed& deed) {
    const core::Effect& effect = deed.effect;
    if (effect.action != core::Action::Refuse || effect.of != core::Action::Give ||
        effect.reason != core::Reason::Budget || !effect.gift || !effect.gift->incentive)
      return;
    Refused refused{
        deed.customer, &plan_.incentives[effect.gift->incentive.index()], {}, effect.time, stamp_};
    refused.budgets = {refused.incentive->budgets.begin(), refused.incentive->budgets.end()};
    if (effect.campaign)
      for (const plan::BudgetId id : plan_.campaigns[effect.campaign.index()].budgets)
        refused.budgets.push_back(id);
    if (effect.gift->referral)
      for (const plan::BudgetId id : plan_.referrals[effect.gift->referral.index()].budgets)
        refused.budgets.push_back(id);
    refused_.push_back(std::move(refused));
  }

  void note_had(store::Group group) {
    for (const auto& [pot, balances] : sides_[group].writer->shared().ledger().pots()) {
      auto& of = had_[pot];
      of.resize(sides_.size());
      const std::int64_t out = balances.out();
      HadAt& had = of[group];
      if (!had.empty() && had.rbegin()->second.last == out) continue;
      Had& now = had.try_emplace(stamp_, Had{had.empty() ? 0 : had.rbegin()->second.last, 0})
                     .first->second;
      now.most = std::max(now.most, out);
      now.last = out;
    }
  }

  // What stands by now in all groups together.
  void look(Timestamp now) {
    std::map<ledger::Pot, std::int64_t> out;
    for (const Side& side : sides_)
      for (const auto& [pot, balances] : side.writer->shared().ledger().pots())
        out[pot] += balances.out();
    for (const auto& [pot, amount] : out)
      for (const plan::Budget& budget : plan_.budgets)
        if (budget.definition == pot.of && amount > budget.amount)
          record_.breach("over all groups beyond the budget `" + budget.name + "` at " +
                         koi::to_string(now, utc()) + ": " + std::to_string(amount));
    for (const Refused& each : std::exchange(refused_, {})) check(each, now);
  }

  // Less than could be wanted was left of one of the budgets since he came: of what every group had
  // taken at some moment since. Nobody can see all of them at one moment.
  void check(const Refused& refused, Timestamp now) {
    for (const plan::BudgetId id : refused.budgets) {
      const plan::Budget& budget = plan_.budgets[id.index()];
      const std::int64_t want = most_wanted(refused.incentive->what, budget.is_money);
      const Timestamp begin = core::begin_of(budget.per, refused.since, *plan_.policy.zone);
      const auto of = had_.find({budget.definition, begin});
      if (of == had_.end()) continue;
      std::int64_t most = 0;
      for (const HadAt& had : of->second) most += most_between(had, refused.since, now);
      if (budget.amount - most < want) return;
    }
    record_.breach(refused.customer + " was refused `" + refused.incentive->symbol.name + "` at " +
                   koi::to_string(now, utc()) + ", and enough of every budget was left");
  }

  const plan::Plan& plan_;
  const store::Journal& journal_;
  Record& record_;
  Replay& into_;
  Notes notes_;
  match::Index index_;
  store::MemoryStore store_;
  std::vector<Side> sides_;
  Timestamp stamp_;            // of the batch at hand,
  store::Position first_ = 0;  // and where it begins
  std::set<std::string> customers_;
  std::vector<Refused> refused_;                   // since the last moment
  std::map<ledger::Pot, std::vector<HadAt>> had_;  // by group
  std::vector<durable::CrashWatch::Mark> marks_;
  Looking looking_;
};

}  // namespace

Replay replay_together(const Rules& rules, const store::Journal& journal, store::Groups groups,
                       Record& record) {
  Replay all;
  all.may_wait = true;
  Together(rules, journal, groups, record, all).run();
  return all;
}

void check_loans(const plan::Plan& plan, const Replay& replay, Record& record) {
  std::map<std::string, std::vector<core::Escrow>> accounts;
  std::map<std::string, std::uint64_t> budgets;  // by account: its definition
  for (std::size_t group = 0; group < replay.shared.size(); ++group)
    for (const auto& [key, bytes] : replay.shared[group]) {
      if (key.front() != 'e') continue;
      const auto row = core::escrow_row(key, bytes);
      if (!row) return record.breach("a loan: " + row.error().what);
      auto& of = accounts[row->account];
      of.resize(replay.shared.size());
      of[group] = row->escrow;
      if (row->kind == core::EscrowRow::Kind::Budget) budgets[row->account] = row->definition;
    }
  const auto groups = static_cast<std::uint16_t>(replay.shared.size());
  for (const auto& [account, of] : accounts) {
    const core::Escrow& home = of[core::home_of(account, groups)];
    std::int64_t lent = 0;
    for (std::size_t group = 0; group < of.size(); ++group) {
      const std::int64_t here = group < home.lent.size() ? home.lent[group] : 0;
      lent += here;
      if (of[group].period == home.period && of[group].slice != here)
        record.breach("group " + std::to_string(group) + " has " + std::to_string(of[group].slice) +
                      " of an account, and was lent " + std::to_string(here));
      if (of[group].is_open) record.breach("a group has asked for more and is not answered");
    }
    if (const auto found = budgets.find(account); found != budgets.end())
      for (const plan::Budget& budget : plan.budgets)
        // Money that pays for messages too is lent in millionths.
        if (budget.definition == found->second && !budget.costs && lent > budget.amount)
          record.breach("more is lent of `" + budget.name + "` than there is");
  }
}

void check_nobody_waits(const Replay& replay, Record& record) {
  for (const auto& shared : replay.shared)
    for (const auto& [key, bytes] : shared)
      if (key.front() == durable::waiting_mark) return record.breach("somebody waits still");
  for (const Called& each : replay.calls)
    if (!each.answer && each.is_first && !each.is_set_aside)
      record.breach("the call " + each.call.id + " is not answered");
}

}  // namespace koi::simulator
