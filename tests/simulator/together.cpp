#include "together.h"

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <tuple>
#include <utility>

#include "core/accounts.h"
#include "core/codec.h"
#include "core/escrow.h"
#include "deploy/carry.h"
#include "deploy/extend.h"
#include "durable/checkpoint.h"
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
    at_ = what;
    CrashWatch::stepping(group, what);
    look_(group);
  }
  void rests(store::Group group) override {
    CrashWatch::rests(group);
    look_(group);
  }
  store::SetAside at() const { return at_; }  // what is stepped

 private:
  store::SetAside at_;
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
  Together(const std::vector<Rules>& rules, const store::Journal& journal, store::Groups groups,
           Record& record, Replay& into)
      : rules_(rules),
        groups_(groups),
        record_(record),
        into_(into),
        notes_(into, record),
        store_(std::in_place, groups),
        marks_(groups.count),
        looking_(marks_, [this](store::Group group) { note_had(group); }) {
    extend();
    index_.emplace(match::Index::build(deciding()));
    for (store::Group group = 0; group < groups.count; ++group) {
      Side& side = sides_.emplace_back();
      side.group = group;
      side.taken.resize(groups.count);
      open(side);
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
    for (decide_all(); turn_ + 1 < rules_.size() && !record_.broken(); decide_all()) change_rules();
    heed_fates();
    for (Side& side : sides_) {
      into_.ends.push_back(side.rows.size());
      keep_shared(side, side.writer->freeze_shared());
      into_.shared.push_back(std::move(side.shared));
    }
    for (const std::string& id : customers_) {
      auto state = state_of(id);
      if (!state) return;
      state->accumulators.truncate(plan().accumulators.size());
      state->logs.truncate(plan().logs.size());
      into_.customers.emplace(id, *std::move(state));
    }
  }

  // --- Deeds

  void take(store::Group group, std::vector<durable::Deed> deeds) override {
    for (durable::Deed& deed : deeds) {
      customers_.insert(deed.customer);
      note_refusal(deed);
      if (deed.effect.action == core::Action::Merge)
        notes_.joined({group, deed.position, std::string(deed.effect.value.as_text()),
                       deed.customer, deed.effect.time});
      std::vector<core::Effect> one;
      one.push_back(std::move(deed.effect));
      notes_.effects({&plan(), group, deed.position}, deed.customer, one);
    }
  }
  std::string freeze(store::Group) override { return {}; }
  Result<void> thaw(store::Group, std::string_view) override { return {}; }
  void goes_on(store::Group group, const durable::Pause& pause) override {
    const bool is_aside = is_set_aside(group, looking_.at());
    const auto* const event = pause.given ? std::get_if<Event>(pause.given) : nullptr;
    if (event) {
      Fate& fate = fates_[{event->id, pause.since}];
      fate.time = std::min(event->time, pause.since);
      fate.is_aside = is_aside;
      if (is_aside && tells_level(plan(), *event)) into_.not_told.insert(event->customer);
    } else if (is_aside && pause.given) {
      const auto* const letter = std::get_if<durable::LetterFrom>(pause.given);
      if (letter && std::holds_alternative<durable::Arrival>(letter->told))
        into_.has_lost_merge = true;
    }
  }

 private:
  struct Side {
    store::Group group = 0;
    std::unique_ptr<durable::Writer> writer;
    std::vector<store::Read> rows;
    std::size_t done = 0;                       // of these
    std::vector<std::uint64_t> taken;           // of each group's letters
    std::map<std::string, std::string> shared;  // what it keeps beside its customers
  };

  // Where some rules have metrics that others lack, each decides with those of all: so they have
  // counted from the beginning.
  void extend() {
    std::vector<const plan::Plan*> all;
    for (const Rules& each : rules_) all.push_back(each.plan);
    const bool has_new_metrics = std::any_of(all.begin(), all.end(), [&](const plan::Plan* one) {
      return std::any_of(all.begin(), all.end(), [&](const plan::Plan* other) {
        return !deploy::lacking(*one, *other).empty();
      });
    });
    if (!has_new_metrics) return;
    extended_.reserve(all.size());
    for (const plan::Plan* each : all) extended_.push_back(deploy::extend(*each, all));
  }
  const plan::Plan& plan() const { return *rules_[turn_].plan; }
  const plan::Plan& deciding() const { return extended_.empty() ? plan() : extended_[turn_]; }

  void open(Side& side) {
    side.writer = std::make_unique<durable::Writer>(deciding(), *index_, *store_, groups_,
                                                    side.group, all_memory, *this);
    if (extended_.empty())
      side.writer->letters().keep_none();
    else
      side.writer->letters().keep_arrivals();
    side.writer->watch(&looking_);
  }

  // All rows of these rules, side by side.
  void decide_all() {
    for (;;) {
      Timestamp next = Timestamp::never();
      for (const Side& side : sides_)
        if (const auto stamp = next_stamp(side)) next = std::min(next, *stamp);
      if (next == Timestamp::never() || record_.broken()) break;
      while (step_at(next)) {
      }
      if (record_.broken()) break;
      for (const Side& side : sides_)
        if (next_stamp(side) == next)
          return record_.breach("somebody has come to group " + std::to_string(side.group) +
                                " who has not left another");
      look(next);
    }
  }

  // What has that stamp, as far as everybody has left who comes by it; false: there was nothing.
  bool step_at(Timestamp stamp) {
    bool has_stepped = false;
    for (Side& side : sides_)
      while (!record_.broken() && next_stamp(side) == stamp && has_left(side)) {
        step(side);
        has_stepped = true;
      }
    return has_stepped;
  }

  // Everything has come to its end, and everybody is carried over to the rules that follow.
  void change_rules() {
    const plan::Plan& from = deciding();
    std::map<std::string, core::State> states;
    for (Side& side : sides_)
      if (const auto taken = take_states(side, from, states); !taken)
        return record_.breach("what is to be carried over: " + taken.error().what);
    for (const auto& [pot, out] : out_) most_before_[pot] = std::max(most_before_[pot], out);
    ++turn_;
    const deploy::Carry carry(from, deciding());
    deploy::Carried carried;
    if (!carry.changes_nothing())
      for (auto& [id, state] : states)
        state = carry(std::move(state), rules_[turn_].since, carried);
    std::vector<Timestamp> stamps;
    for (Side& side : sides_) {
      stamps.push_back(side.writer->stamp());
      side.writer.reset();
    }
    store_.emplace(groups_);
    index_.emplace(match::Index::build(deciding()));
    for (Side& side : sides_) {
      const store::Position position = rules_[turn_].behind[side.group];
      if (const auto put = put_back(side, position, states); !put)
        return record_.breach("what is carried over cannot be kept: " + put.error().what);
      open(side);
      if (const auto learnt = side.writer->learn(0); !learnt)
        return record_.breach("what was carried over cannot be read: " + learnt.error().what);
      side.writer->begin_behind(position, stamps[side.group]);
      side.writer->leave_out(into_.set_aside[side.group]);
    }
  }

  // Everybody of the group, those too whom only others of it have told something; and what they
  // share.
  Result<void> take_states(Side& side, const plan::Plan& from,
                           std::map<std::string, core::State>& into) {
    durable::Frozen frozen = durable::freeze(*side.writer, side.group, 0, *this);
    keep_shared(side, std::move(frozen.shared));
    std::vector<store::Saved> saved;
    side.writer->customers().take(frozen.changed, saved);
    for (std::size_t partition = 0; partition < partition_count; ++partition) {
      if (groups_.group_of(static_cast<Partition>(partition)) != side.group) continue;
      KOI_LET(const auto before, store_->scan(static_cast<Partition>(partition), "", SIZE_MAX / 2));
      saved.insert(saved.end(), before.begin(), before.end());  // as it was, if it is there twice
    }
    const core::Codec codec(from);
    for (const store::Saved& each : saved) {
      KOI_LET(core::State state, codec.decode(each.bytes));
      into.emplace(each.customer, std::move(state));
    }
    return {};
  }

  // What the group's next rules begin with.
  Result<void> put_back(const Side& side, store::Position position,
                        const std::map<std::string, core::State>& states) {
    const core::Codec codec(deciding());
    std::vector<store::Saved> saved;
    for (const auto& [id, state] : states)
      if (const Partition partition = partition_of(id); groups_.group_of(partition) == side.group)
        saved.push_back({partition, id, codec.encode(state), core::next_due(state)});
    std::vector<store::Shared> shared;
    for (const auto& [key, bytes] : side.shared) shared.push_back({key, bytes});
    KOI_LET(const store::Epoch epoch, store_->take(side.group));
    bool is_given = false;
    const auto give = [&]() -> Result<std::span<const store::Saved>> {
      if (std::exchange(is_given, true)) return std::span<const store::Saved>();
      return std::span<const store::Saved>(saved);
    };
    return store_->checkpoint({side.group, epoch, position, {}, codec.layout(), shared}, give);
  }

  static void keep_shared(Side& side, std::vector<store::Shared> changed) {
    for (store::Shared& each : changed) {
      if (each.bytes.empty())
        side.shared.erase(each.key);
      else
        side.shared[each.key] = std::move(each.bytes);
    }
  }

  std::optional<core::State> state_of(const std::string& id) {
    const Partition partition = partition_of(id);
    durable::Customers& customers = sides_[groups_.group_of(partition)].writer->customers();
    const auto state = customers.of(partition, id);
    if (!state) {
      record_.breach("customer " + id + ": " + state.error().what);
      return std::nullopt;
    }
    std::optional<core::State> found(**state);
    customers.unchanged();
    return found;
  }

  // Nothing where the rules at hand decide no more of it.
  std::optional<Timestamp> next_stamp(const Side& side) const {
    std::size_t end = side.rows.size();
    if (turn_ + 1 < rules_.size()) end = std::min(end, rules_[turn_ + 1].behind[side.group]);
    if (side.done >= end) return std::nullopt;
    const auto opening = durable::decode_opening(side.rows[side.done].row.bytes);
    return opening ? opening->stamp : Timestamp::ever();
  }

  // Whoever goes to another group does so as he was made here, where more is counted than when the
  // journals were written.
  using Name = std::tuple<store::Group, store::Group, std::uint64_t>;  // from, to, number
  static Name name_of(store::Group to, const durable::LetterFrom& letter) {
    return {letter.from, to, letter.number};
  }
  bool comes_as_made_here(const durable::Given& given) const {
    const auto* const letter = std::get_if<durable::LetterFrom>(&given);
    return !extended_.empty() && letter && std::holds_alternative<durable::Arrival>(letter->told);
  }

  // Everybody who comes by the group's next batch?
  bool has_left(const Side& side) const {
    if (extended_.empty()) return true;
    for (std::size_t at = side.done + 1; at < side.rows.size(); ++at) {
      if (durable::decode_opening(side.rows[at].row.bytes)) break;
      auto input = durable::decode_input(plan(), side.rows[at].row.bytes);
      if (!input) break;
      const durable::Given given = durable::given_of(*std::move(input));
      if (comes_as_made_here(given) &&
          !left_.contains(name_of(side.group, std::get<durable::LetterFrom>(given))))
        return false;
    }
    return true;
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
      auto input = durable::decode_input(plan(), read.row.bytes);
      if (!input) return record_.breach("a row cannot be read: " + input.error().what);
      durable::Given given = durable::given_of(*std::move(input));
      if (!extended_.empty()) deploy::fill(deciding(), given);
      if (comes_as_made_here(given)) {
        const auto left = left_.find(name_of(side.group, std::get<durable::LetterFrom>(given)));
        auto came = durable::read(left->second, deciding());
        if (!came) return record_.breach("who comes cannot be read: " + came.error().what);
        given = *std::move(came);
      }
      auto request = note(side, read.position, given);
      batch.parts[0].push_back({std::move(given), read.row.partition, std::move(request), 0});
    }
    if (const auto stepped = side.writer->step(batch); !stepped)
      record_.breach("a batch cannot be decided: " + stepped.error().what);
    // The others stand in the journals that they came to.
    for (durable::Letter& each : side.writer->letters().take_new()) {
      note_sent(side, each);
      side.writer->letters().arrived(each.to, each.number);
      const Name name{each.from, each.to, each.number};
      left_.insert_or_assign(name, std::move(each));
    }
  }

  // What came, and what it will be answered.
  std::shared_ptr<durable::Request> note(Side& side, store::Position position,
                                         const durable::Given& given) {
    if (const std::string_view whose = durable::customer_of(given); !whose.empty())
      customers_.emplace(whose);
    const Place here{&plan(), side.group, position};
    if (const auto* attempt = std::get_if<durable::AttemptFor>(&given))
      notes_.attempt(attempt->key);
    if (const auto* came = std::get_if<durable::ReceiptFor>(&given)) {
      const auto& aside = into_.set_aside[side.group];
      durable::ReceiptFor stamped = *came;
      stamped.receipt.time = stamp_;
      notes_.receipt(plan(), stamped,
                     !std::binary_search(aside.begin(), aside.end(), store::SetAside{position, 0}));
    }
    if (const auto* letter = std::get_if<durable::LetterFrom>(&given))
      note_passed(side, here, *letter);
    if (const auto* event = std::get_if<Event>(&given)) {
      notes_.owners(plan(), *event);
      Event seen = *event;
      seen.time = std::min(seen.time, stamp_);
      return std::make_shared<durable::Request>(
          1, [this, here, seen](const Result<std::vector<durable::Answer>>& answers) {
            if (!answers) return;
            const core::Standing standing = answers->front().standing;
            notes_.standing(*here.plan, seen, standing);
            notes_.consent(here, seen, standing);
            if (!is_set_aside(here.group, {here.position, 0}))
              notes_.count(here, seen, standing);
            else if (tells_level(*here.plan, seen))
              into_.not_told.insert(seen.customer);
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

  // --- What was decided later than it came

  // By an event's id, and the stamp with which it came.
  struct Fate {
    bool is_aside = false;
    std::optional<Timestamp> time;  // of the event when it was decided, where it has waited
    bool is_sent = false;           // it was passed on, …
    std::optional<Place> passed;    // … and where it came to last, …
    Timestamp stamp;                // … and the stamp of that
  };

  bool is_set_aside(store::Group group, store::SetAside what) const {
    const auto& aside = into_.set_aside[group];
    return std::binary_search(aside.begin(), aside.end(), what);
  }

  // What a customer is followed by, or brings along.
  static const std::vector<durable::Along>* inputs_of(const durable::Told& told) {
    if (const auto* const passed = std::get_if<durable::Passed>(&told)) return &passed->inputs;
    if (const auto* const arrival = std::get_if<durable::Arrival>(&told)) return &arrival->inputs;
    return nullptr;
  }

  void note_sent(const Side& side, const durable::Letter& letter) {
    const auto sent = durable::read(letter, deciding());
    if (!sent) return record_.breach("a letter cannot be read: " + sent.error().what);
    if (const auto* const arrival = std::get_if<durable::Arrival>(&sent->told))
      left_at_.emplace(arrival->goes, side.rows[side.done - 1].position);
    if (const auto* const inputs = inputs_of(sent->told))
      for (const durable::Along& each : *inputs)
        if (const auto* const event = std::get_if<Event>(&each.given))
          fates_[{event->id, each.stamp}].is_sent = true;
  }

  // What was passed on counts where it has come to. Of what comes more than once the first.
  void note_passed(Side& side, const Place& here, const durable::LetterFrom& letter) {
    if (letter.number != side.taken[letter.from] + 1) return;
    ++side.taken[letter.from];
    const auto* const inputs = inputs_of(letter.told);
    if (inputs == nullptr) return;
    for (const durable::Along& each : *inputs) {
      const auto* const event = std::get_if<Event>(&each.given);
      if (event == nullptr) continue;
      Fate& fate = fates_[{event->id, each.stamp}];
      fate.is_aside = is_set_aside(here.group, {here.position, 0});
      fate.passed = here;
      fate.stamp = stamp_;
    }
  }

  // Takes what an event has brought to where the event was decided, and has `heed` look at all that
  // has happened to it on the way, with the stamp by then; until that says no more.
  template <class Brought, class Heed>
  void follow(Brought& brought, Heed heed) {
    const auto& openings = into_.openings[brought.group];
    const auto behind = std::upper_bound(
        openings.begin(), openings.end(), brought.position,
        [](store::Position position, const auto& opening) { return position < opening.first; });
    Timestamp stamp = std::prev(behind)->second;
    for (auto place = fates_.find({brought.id, stamp}); place != fates_.end();) {
      const Fate& fate = place->second;
      if (fate.passed) {
        brought.group = fate.passed->group;
        brought.position = fate.passed->position;
        stamp = fate.stamp;
      }
      if (!heed(fate, stamp) || place->first.second == stamp) return;
      place = fates_.find({brought.id, stamp});
    }
  }

  // Purchases and what was said of consent as they were decided, as far as that can be told.
  void heed_fates() {
    std::erase_if(into_.bought, [&](Bought& each) {
      bool is_aside = false;
      follow(each, [&](const Fate& fate, Timestamp stamp) {
        is_aside = fate.is_aside;
        each.is_sure = each.is_sure && stamp - each.time <= plan().policy.lateness &&
                       (!fate.time || *fate.time == each.time);
        return !is_aside;
      });
      return is_aside;
    });
    std::erase_if(into_.consents, [&](SaidOfConsent& each) {
      bool is_on_its_way = false;
      follow(each, [&](const Fate& fate, Timestamp) {
        is_on_its_way = fate.is_sent && !fate.passed;
        return !is_on_its_way;
      });
      const auto left = left_at_.find(each.customer);
      const bool is_at_home = groups_.group_of(partition_of(each.customer)) == each.group;
      return is_on_its_way ||
             (is_at_home && left != left_at_.end() && each.position > left->second);
    });
    std::stable_sort(into_.consents.begin(), into_.consents.end(),
                     [](const SaidOfConsent& a, const SaidOfConsent& b) {
                       return std::pair(a.group, a.position) < std::pair(b.group, b.position);
                     });
  }

  // --- Moments

  void note_refusal(const durable::Deed& deed) {
    const core::Effect& effect = deed.effect;
    if (effect.action != core::Action::Refuse || effect.of != core::Action::Give ||
        effect.reason != core::Reason::Budget || !effect.gift || !effect.gift->incentive)
      return;
    Refused refused{
        deed.customer, &plan().incentives[effect.gift->incentive.index()], {}, effect.time, stamp_};
    refused.budgets = {refused.incentive->budgets.begin(), refused.incentive->budgets.end()};
    if (effect.campaign)
      for (const plan::BudgetId id : plan().campaigns[effect.campaign.index()].budgets)
        refused.budgets.push_back(id);
    if (effect.gift->referral)
      for (const plan::BudgetId id : plan().referrals[effect.gift->referral.index()].budgets)
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
    // Rules that followed may have lowered it.
    for (const auto& [pot, amount] : out)
      for (const plan::Budget& budget : plan().budgets)
        if (budget.definition == pot.of && amount > std::max(budget.amount, most_before_[pot]))
          record_.breach("over all groups beyond the budget `" + budget.name + "` at " +
                         koi::to_string(now, utc()) + ": " + std::to_string(amount));
    for (const auto& [pot, amount] : out) out_[pot] = amount;
    for (const Refused& each : std::exchange(refused_, {})) check(each, now);
  }

  // Less than could be wanted was left of one of the budgets since he came: of what every group had
  // taken at some moment since. Nobody can see all of them at one moment.
  void check(const Refused& refused, Timestamp now) {
    for (const plan::BudgetId id : refused.budgets) {
      const plan::Budget& budget = plan().budgets[id.index()];
      const std::int64_t want = most_wanted(refused.incentive->what, budget.is_money);
      const Timestamp begin = core::begin_of(budget.per, refused.since, *plan().policy.zone);
      const auto of = had_.find({budget.definition, begin});
      if (of == had_.end()) continue;
      std::int64_t most = 0;
      for (const HadAt& had : of->second) most += most_between(had, refused.since, now);
      if (budget.amount - most < want) return;
    }
    record_.breach(refused.customer + " was refused `" + refused.incentive->symbol.name + "` at " +
                   koi::to_string(now, utc()) + ", and enough of every budget was left");
  }

  const std::vector<Rules>& rules_;
  std::size_t turn_ = 0;
  std::vector<plan::Plan> extended_;  // by turn; empty: no rules lack metrics that others have
  const store::Groups groups_;
  Record& record_;
  Replay& into_;
  Notes notes_;
  std::optional<match::Index> index_;        // of the rules at hand
  std::optional<store::MemoryStore> store_;  // what they have begun with
  std::vector<Side> sides_;
  std::map<std::pair<std::string, Timestamp>, Fate> fates_;
  std::map<std::string, store::Position> left_at_;  // who has gone to another group: by then
  std::map<Name, durable::Letter> left_;  // by which customers have gone, where more is counted
  Timestamp stamp_;                       // of the batch at hand,
  store::Position first_ = 0;             // and where it begins
  std::set<std::string> customers_;
  std::vector<Refused> refused_;                     // since the last moment
  std::map<ledger::Pot, std::vector<HadAt>> had_;    // by group
  std::map<ledger::Pot, std::int64_t> out_;          // at the last moment, over all groups
  std::map<ledger::Pot, std::int64_t> most_before_;  // under the rules before
  std::vector<durable::CrashWatch::Mark> marks_;
  Looking looking_;
};

}  // namespace

Replay replay_together(const std::vector<Rules>& rules, const store::Journal& journal,
                       store::Groups groups, Record& record) {
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
