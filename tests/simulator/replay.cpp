#include "replay.h"

#include <algorithm>
#include <optional>
#include <type_traits>
#include <utility>

#include "core/merge.h"
#include "core/ranks.h"
#include "deploy/carry.h"
#include "deploy/extend.h"
#include "durable/input.h"
#include "notes.h"
#include "store/store.h"

namespace koi::simulator {

namespace {

// What accounts have kept so far.
class Kept final : public core::Shelf {
 public:
  explicit Kept(std::map<std::string, std::string>& all) : all_(all) {}
  Result<std::string> read(std::string_view key) const override {
    const auto found = all_.find(std::string(key));
    return found == all_.end() ? std::string() : found->second;
  }
  Result<std::vector<Row>> behind(std::string_view key, std::size_t most) const override {
    std::vector<Row> rows;
    for (auto each = all_.upper_bound(std::string(key)); each != all_.end() && rows.size() < most;
         ++each)
      rows.push_back({each->first, each->second});
    return rows;
  }
  void put(std::vector<core::Accounts::Change> changes) {
    for (auto& [key, bytes] : changes) {
      if (bytes.empty())
        all_.erase(key);
      else
        all_[key] = std::move(bytes);
    }
  }

 private:
  std::map<std::string, std::string>& all_;
};

class Replaying {
 public:
  Replaying(const std::vector<Rules>& rules, const store::Journal& journal, store::Groups groups,
            Record& record, Replay& into)
      : rules_(rules),
        plan_(rules.front().plan),
        journal_(journal),
        groups_(groups),
        record_(record),
        into_(into),
        notes_(into, record) {
    for (const Rules& each : rules) all_.push_back(each.plan);
    for (const plan::Plan* one : all_)
      for (const plan::Plan* other : all_)
        has_new_metrics_ = has_new_metrics_ || !deploy::lacking(*one, *other).empty();
    if (!has_new_metrics_) return;
    extended_.reserve(all_.size());
    for (const plan::Plan* each : all_) extended_.push_back(deploy::extend(*each, all_));
  }

  void group(store::Group group) {
    group_ = group;
    stamp_ = Timestamp::ever();
    customers_.clear();
    beside_.clear();
    position_ = 0;
    turn_ = 0;
    plan_ = rules_.front().plan;
    borders_until_ = Timestamp::ever();
    into_.openings.emplace_back();
    kept_.emplace(into_.shared.emplace_back());
    open_accounts();
    auto aside = journal_.set_aside(group);
    if (!aside) return record_.breach("what is set aside cannot be read: " + aside.error().what);
    set_aside_ = *std::move(aside);
    for (;;) {
      const auto rows = journal_.read(group, position_ + 1, 1000);
      if (!rows) return record_.breach("the journal cannot be read: " + rows.error().what);
      if (rows->empty()) break;
      for (const store::Read& read : *rows) {
        change_rules(read.position);
        position_ = read.position;
        row(read);
      }
    }
    change_rules(UINT64_MAX);
    close_accounts();
    into_.customers.merge(customers_);
    into_.ends.push_back(position_);
    into_.set_aside.push_back(set_aside_);
  }

 private:
  void open_accounts() {
    accounts_.emplace(*plan_);
    accounts_->keep_on(*kept_, SIZE_MAX / 2);
  }
  void close_accounts() {
    kept_->put(accounts_->freeze());
    if (accounts_->fault()) record_.breach("the accounts: " + accounts_->fault()->what);
  }

  // Those that decide what stands at `position`: everybody is carried over to them.
  void change_rules(store::Position position) {
    while (turn_ + 1 < rules_.size() && rules_[turn_ + 1].behind[group_] < position) {
      const Rules& next = rules_[++turn_];
      // What is new among its metrics has counted beside the others from the beginning.
      std::optional<plan::Plan> from;
      if (!deploy::lacking(*next.plan, *plan_).empty())
        from = deploy::extend(*plan_, std::vector<const plan::Plan*>{plan_, next.plan});
      const deploy::Carry carry(from ? *from : *plan_, *next.plan);
      deploy::Carried carried;
      for (auto& [id, state] : customers_) {
        if (from) complete(state, beside_.at(id), *from);
        if (from || !carry.changes_nothing()) state = carry(std::move(state), next.since, carried);
      }
      if (has_new_metrics_) {
        const deploy::Carry beside(extended_[turn_ - 1], extended_[turn_]);
        if (!beside.changes_nothing())
          for (auto& [id, state] : beside_) state = beside(std::move(state), next.since, carried);
      }
      close_accounts();
      plan_ = next.plan;
      borders_until_ = Timestamp::ever();
      open_accounts();
    }
  }

  // The slots that `from` has behind those of the rules at hand, from the state that has them all.
  void complete(core::State& state, const core::State& beside, const plan::Plan& from) const {
    const plan::Plan& all = extended_[turn_ - 1];
    const auto place = [](const auto& list, const auto& definition) {
      return std::find_if(list.begin(), list.end(),
                          [&](const auto& each) { return each.definition == definition; }) -
             list.begin();
    };
    for (std::size_t slot = plan_->accumulators.size(); slot < from.accumulators.size(); ++slot) {
      const auto at = place(all.accumulators, from.accumulators[slot].definition);
      for (const auto& kept : beside.accumulators)
        if (std::cmp_equal(kept.slot, at))
          state.accumulators.set(static_cast<std::uint16_t>(slot), kept.value);
    }
    for (std::size_t slot = plan_->logs.size(); slot < from.logs.size(); ++slot) {
      const auto at = place(all.logs, from.logs[slot].definition);
      for (const auto& kept : beside.logs)
        if (std::cmp_equal(kept.slot, at))
          state.logs.set(static_cast<std::uint16_t>(slot), kept.value);
    }
  }

  void row(const store::Read& read) {
    auto input = durable::decode_input(*plan_, read.row.bytes);
    if (!input) return record_.breach("a row cannot be read: " + input.error().what);
    if (const auto* opening = std::get_if<durable::Opening>(&*input)) return open(*opening);
    if (auto* event = std::get_if<Event>(&*input)) return apply(*event);
    if (auto* receipt = std::get_if<durable::ReceiptFor>(&*input)) return apply(*receipt);
    if (auto* call = std::get_if<core::Call>(&*input)) return apply(*call);
    // Set aside too: it may have been made all the same.
    notes_.attempt(std::get<durable::AttemptFor>(*input).key);
  }

  void open(const durable::Opening& opening) {
    if (opening.stamp < stamp_)
      record_.breach("the clock of group " + std::to_string(group_) + "'s journal goes back at " +
                     std::to_string(position_));
    stamp_ = opening.stamp;
    into_.openings.back().emplace_back(position_, stamp_);
    accounts_->decide_by(opening.rules);
    for (std::uint32_t fired = 0; fired < opening.timers; ++fired) {
      const auto next = std::min_element(
          customers_.begin(), customers_.end(),
          [](auto& a, auto& b) { return core::next_due(a.second) < core::next_due(b.second); });
      if (next == customers_.end() || core::next_due(next->second) >= stamp_) break;
      const bool passes = is_set_aside(store::place_of(partition_of(next->first), next->first) + 1);
      keep_for_ranks(next->second, passes ? stamp_ : core::next_due(next->second), false);
      if (passes) {
        core::pass_over_due(next->second, stamp_);
        if (has_new_metrics_) core::pass_over_due(beside(next->first), stamp_);
        continue;
      }
      decide(next->first, core::Tick{core::next_due(next->second), true});
    }
  }

  void apply(Event& event) {
    event.time = std::min(event.time, stamp_);
    notes_.owners(*plan_, event);
    if (is_set_aside(0)) {  // nothing comes of it, but that it is there
      event.customer = whoever(event.customer);
      core::State& state = customer(event.customer);
      keep_for_ranks(state, stamp_, false);
      const bool is_first = !state.seen.contains(event.id_hash());
      core::pass_over(*plan_, state, event);
      if (has_new_metrics_) core::pass_over(extended_[turn_], beside(event.customer), event);
      if (is_first) notes_.consent(here(), event, core::Standing::TooLate);
      if (tells_level(*plan_, event)) into_.not_told.insert(event.customer);
      const bool is_old =
          durable::is_beyond_ids(event, stamp_, plan_->policy) ||
          (event.time < state.clock && state.clock - event.time > plan_->policy.lateness);
      return notes_.standing(*plan_, event,
                             !is_first ? core::Standing::Duplicate
                             : is_old  ? core::Standing::TooLate
                                       : core::Standing::Applied);
    }
    if (durable::is_beyond_ids(event, stamp_, plan_->policy))
      return notes_.standing(*plan_, event, core::Standing::TooLate);
    const std::string id = event.customer;
    meet(event);
    // Who has gone has no level any more.
    const bool is_nobodys = tells_level(*plan_, event) && whoever(id) != id;
    const core::Standing standing =
        is_nobodys ? core::Standing::TooLate : turn_of(event.customer, event);
    notes_.standing(*plan_, event, standing);
    notes_.consent(here(), event, standing);
    notes_.count(here(), event, standing);
  }

  void apply(durable::ReceiptFor& came) {
    came.receipt.time = stamp_;
    notes_.receipt(*plan_, came, !is_set_aside(0));
    if (is_set_aside(0)) return;
    turn_of(came.customer, came.receipt);
  }

  // What he is ranked by as of the last refreshing of each tier is kept before something of behind
  // it changes him; timers of his that were due before and had no turn yet have it first, if they
  // may.
  void keep_for_ranks(core::State& state, Timestamp up_to, bool timers_fire) {
    if (stamp_ > borders_until_) find_borders();
    for (const auto& [at, number] : borders_) {
      const plan::Tier& tier = plan_->tiers[number];
      if (at > up_to || core::is_taken(tier, state, at)) continue;
      if (timers_fire && core::next_due(state) < at) decide(state.id, core::Tick{at, false});
      core::take(*plan_, tier, state, at);
    }
  }
  void find_borders() {
    borders_.clear();
    for (std::size_t i = 0; i < plan_->tiers.size(); ++i)
      borders_.emplace_back(core::last_refreshing(*plan_, plan_->tiers[i], stamp_), i);
    std::sort(borders_.begin(), borders_.end());
    borders_until_ = plan_->tiers.empty() ? Timestamp::never()
                                          : core::next_refreshing(*plan_, stamp_ - microseconds(1));
  }

  void apply(core::Call& call) {
    call.time = stamp_;
    Called& called = into_.calls.emplace_back(Called{group_, position_, stamp_, call, false, {}});
    if (is_set_aside(0)) return;
    if (call.kind == core::Call::Kind::Stock) {
      called.answer = core::stock(*accounts_, call);
      into_.pooled.push_back({call.together, {}, {}});
      return;
    }
    const std::string* const whom = core::whom(*accounts_, call);
    if (!whom) {
      called.answer.emplace().reason = core::Reason::UnknownCode;
      return;
    }
    const std::string customer = *whom;
    called.is_first = turn_of(customer, call) != core::Standing::Duplicate;
    called.answer = accounts_->take_answer();
  }

  Place here() const { return {plan_, group_, position_}; }

  // What the row at hand is, or the timers of one customer that its opening fires.
  bool is_set_aside(std::uint64_t customer) const {
    return std::binary_search(set_aside_.begin(), set_aside_.end(),
                              store::SetAside{position_, customer});
  }

  core::State& customer(const std::string& id) {
    const auto found = customers_.find(id);
    if (found != customers_.end()) return found->second;
    return customers_.emplace(id, core::new_customer(*plan_, id)).first->second;
  }

  // Who he has turned out to be.
  std::string whoever(std::string id) {
    while (const std::string* const other = core::gone_to(customer(id))) id = std::string(*other);
    return id;
  }

  // Whom the event shows to be one person are one from here on, as far as they are of one group.
  void meet(Event& event) {
    std::vector<Met> all = std::exchange(event.met, {});
    event.customer = whoever(event.customer);
    if (!core::says_something(*plan_, customer(event.customer), event)) return;
    for (Met& met : all) {
      if (groups_.group_of(partition_of(met.customer)) != group_) continue;
      std::string stays = event.customer, goes = whoever(met.customer);
      if (stays != goes) {
        core::State &one = customer(stays), &other = customer(goes);
        const core::Bond bond = core::bond_of(core::face_of(*plan_, one, event),
                                              core::face_of(*plan_, other), met.link);
        if (bond == core::Bond::TwoPeople) continue;
        const Timestamp at = core::instant_of_merge(one, other, event.time);
        if (bond == core::Bond::SecondStays) std::swap(stays, goes);
        merge(stays, goes, at);
      }
      event.identifiers.push_back(std::move(met.identifier));
      event.customer = stays;
    }
  }

  void merge(const std::string& stays, const std::string& goes, Timestamp at) {
    notes_.joined({group_, position_, goes, stays, at});
    keep_for_ranks(customer(goes), stamp_, true);
    decide(goes, core::Tick{at, false});
    keep_for_ranks(customer(stays), stamp_, true);
    core::State gone = core::take_out(*plan_, customer(goes), stays);
    // He was ranked for himself.
    for (const auto& [border, number] : borders_) {
      const plan::Tier& tier = plan_->tiers[number];
      if (!core::is_taken(tier, gone, border)) continue;
      customer(goes).attributes[tier.taken.index()] = gone.attributes[tier.taken.index()];
      customer(goes).attribute_times[tier.taken.index()] = border;
    }
    core::merge(*plan_, customer(stays), std::move(gone), at, effects_, nullptr, &*accounts_);
    notes_.effects(here(), stays, effects_);
    if (has_new_metrics_) {
      const plan::Plan& all = extended_[turn_];
      std::vector<core::Effect> effects;
      core::merge(all, beside(stays), core::take_out(all, beside(goes), stays), at, effects);
    }
    for (const core::Message& message : accounts_->take_messages()) turn_of(message.to, message);
  }

  template <class What>
  core::Standing turn_of(const std::string& whom, const What& what) {
    const std::string id = whoever(whom);
    keep_for_ranks(customer(id), stamp_, true);
    return decide(id, what);
  }

  // An input of his, and what it makes others be told.
  template <class What>
  core::Standing decide(const std::string& id, const What& what) {
    const core::Standing standing =
        core::decide(*plan_, customer(id), what, effects_, nullptr, &*accounts_);
    notes_.effects(here(), id, effects_);
    if (has_new_metrics_) decide_beside(id, what);
    for (const core::Message& message : accounts_->take_messages()) turn_of(message.to, message);
    return standing;
  }

  // The same with every metric that any of the rules has. What it decides is that of the others.
  template <class What>
  void decide_beside(const std::string& id, What what) {
    if constexpr (std::is_same_v<What, Event>) deploy::fill(extended_[turn_], what);
    std::vector<core::Effect> effects;
    core::decide(extended_[turn_], beside(id), what, effects);
  }
  core::State& beside(const std::string& id) {
    const auto found = beside_.find(id);
    if (found != beside_.end()) return found->second;
    return beside_.emplace(id, core::new_customer(extended_[turn_], id)).first->second;
  }

  const std::vector<Rules>& rules_;
  std::size_t turn_ = 0;
  const plan::Plan* plan_;
  const store::Journal& journal_;
  const store::Groups groups_;
  Record& record_;
  Replay& into_;
  store::Group group_ = 0;
  store::Position position_ = 0;
  Timestamp stamp_;
  std::vector<store::SetAside> set_aside_;
  std::vector<std::pair<Timestamp, std::size_t>> borders_;  // of each tier, the earliest first
  Timestamp borders_until_ = Timestamp::ever();             // up to this stamp they stay so
  std::map<std::string, core::State> customers_;
  // Where some rules have metrics that others lack: each rules' plan with those of all, and the
  // customers as they stand under it.
  bool has_new_metrics_ = false;
  std::vector<const plan::Plan*> all_;
  std::vector<plan::Plan> extended_;
  std::map<std::string, core::State> beside_;
  std::vector<core::Effect> effects_;
  Notes notes_;
  std::optional<Kept> kept_;                // of the group at hand
  std::optional<core::Accounts> accounts_;  // of the rules at hand
};

}  // namespace

Replay replay(const std::vector<Rules>& rules, const store::Journal& journal, store::Groups groups,
              Record& record) {
  Replay all;
  all.shared.reserve(groups.count);
  Replaying replaying(rules, journal, groups, record, all);
  for (store::Group group = 0; group < groups.count; ++group) replaying.group(group);
  return all;
}

}  // namespace koi::simulator
