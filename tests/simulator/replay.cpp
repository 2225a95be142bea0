#include "replay.h"

#include <algorithm>
#include <optional>
#include <type_traits>
#include <utility>

#include "deploy/carry.h"
#include "deploy/extend.h"
#include "durable/input.h"
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
  Replaying(const std::vector<Rules>& rules, const store::Journal& journal, Record& record,
            Replay& into)
      : rules_(rules),
        plan_(rules.front().plan),
        journal_(journal),
        record_(record),
        into_(into),
        kept_(into.shared) {
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
    accounts_->keep_on(kept_, SIZE_MAX / 2);
  }
  void close_accounts() {
    kept_.put(accounts_->freeze());
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
    if (std::holds_alternative<core::Call>(*input))
      return record_.breach("nobody calls in these worlds");
    const Hash128 key = std::get<durable::AttemptFor>(*input).key;
    if (is_set_aside(0)) return;
    if (into_.sends.contains(key) && !into_.receipts.contains(key)) into_.attempted.insert(key);
  }

  void open(const durable::Opening& opening) {
    if (opening.stamp < stamp_)
      record_.breach("the clock of group " + std::to_string(group_) + "'s journal goes back at " +
                     std::to_string(position_));
    stamp_ = opening.stamp;
    accounts_->decide_by(opening.rules);
    for (std::uint32_t fired = 0; fired < opening.timers; ++fired) {
      const auto next = std::min_element(
          customers_.begin(), customers_.end(),
          [](auto& a, auto& b) { return core::next_due(a.second) < core::next_due(b.second); });
      if (next == customers_.end() || core::next_due(next->second) >= stamp_) break;
      if (is_set_aside(store::place_of(partition_of(next->first), next->first) + 1)) {
        core::pass_over_due(next->second, stamp_);
        if (has_new_metrics_) core::pass_over_due(beside(next->first), stamp_);
        continue;
      }
      decide(next->first, core::Tick{core::next_due(next->second), true});
    }
  }

  void apply(Event& event) {
    event.time = std::min(event.time, stamp_);
    for (const Identifier& each : event.identifiers) {
      const std::string key = plan_->schema.identifiers[each.kind.index()] + ":" + each.text;
      const auto [owner, is_new] = into_.owners.emplace(key, event.customer);
      if (!is_new && owner->second != event.customer)
        record_.breach("an identifier belongs to " + owner->second + " and to " + event.customer);
    }
    if (is_set_aside(0)) {  // nothing comes of it, but that it is there
      core::State& state = customer(event.customer);
      const bool is_first = !state.seen.contains(event.id_hash());
      core::pass_over(*plan_, state, event);
      if (has_new_metrics_) core::pass_over(extended_[turn_], beside(event.customer), event);
      if (is_first) say_consent(event, core::Standing::TooLate);
      const bool is_old =
          durable::is_beyond_ids(event, stamp_, plan_->policy) ||
          (event.time < state.clock && state.clock - event.time > plan_->policy.lateness);
      return into_.standings[event.id.substr(0, event.id.find('#'))].push_back(
          !is_first ? core::Standing::Duplicate
          : is_old  ? core::Standing::TooLate
                    : core::Standing::Applied);
    }
    if (durable::is_beyond_ids(event, stamp_, plan_->policy))
      return into_.standings[event.id.substr(0, event.id.find('#'))].push_back(
          core::Standing::TooLate);
    const core::Standing standing = decide(event.customer, event);
    into_.standings[event.id.substr(0, event.id.find('#'))].push_back(standing);
    say_consent(event, standing);
  }

  void apply(durable::ReceiptFor& came) {
    came.receipt.time = stamp_;
    const bool is_first = into_.receipts.emplace(came.receipt.key, came.receipt).second;
    if (is_set_aside(0)) return;
    if (const auto paid = into_.sends.find(came.receipt.key);
        paid != into_.sends.end() && came.receipt.failure != Failure::None)
      if (const core::Gift* gift = paid->second.effect.gift.get(); gift && is_first)
        --into_.gifts[{name_of(*gift), came.customer}];
    decide(came.customer, came.receipt);
  }

  // What the row at hand is, or the timers of one customer that its opening fires.
  bool is_set_aside(std::uint64_t customer) const {
    return std::binary_search(set_aside_.begin(), set_aside_.end(),
                              store::SetAside{position_, customer});
  }

  void say_consent(const Event& event, core::Standing standing) {
    const std::string& type = plan_->schema.events[event.type.index()].symbol.name;
    const bool granted = type == "consented";
    if (!granted && type != "unsubscribed") return;
    if (standing == core::Standing::Duplicate) return;
    // A refusal is one however late it comes.
    if (granted && standing == core::Standing::TooLate) return;
    into_.consents.push_back({event.customer, position_, event.time, granted});
  }

  core::State& customer(const std::string& id) {
    const auto found = customers_.find(id);
    if (found != customers_.end()) return found->second;
    return customers_.emplace(id, core::new_customer(*plan_, id)).first->second;
  }

  // An input of his, and what it makes others be told.
  template <class What>
  core::Standing decide(const std::string& id, const What& what) {
    const core::Standing standing =
        core::decide(*plan_, customer(id), what, effects_, nullptr, &*accounts_);
    keep_effects(id);
    if (has_new_metrics_) decide_beside(id, what);
    for (const core::Message& message : accounts_->take_messages()) decide(message.to, message);
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

  std::string name_of(const core::Gift& gift) const {
    return gift.incentive ? plan_->incentives[gift.incentive.index()].symbol.name : std::string();
  }

  void keep_effects(const std::string& customer) {
    using core::Action;
    for (core::Effect& effect : effects_) {
      const std::string source = source_of(*plan_, effect);
      into_
          .figures[effect.campaign ? plan::full_name_of(plan_->campaigns[effect.campaign.index()])
                                   : source]
          .count(effect);
      if (effect.action == Action::Enter) ++into_.entries[{source, customer}];
      if (effect.action == Action::Give) ++into_.gifts[{name_of(*effect.gift), customer}];
      const bool is_payment =
          effect.channel && ((effect.action == Action::Give && effect.wants_receipt) ||
                             effect.action == Action::Claim);
      if (effect.action != Action::Send && !is_payment) continue;
      const Hash128 key = effect.key;
      if (!is_payment) into_.sends_in_order.push_back(key);
      if (!into_.sends.emplace(key, Decided{plan_, customer, std::move(effect), group_, position_})
               .second)
        record_.breach("two decisions have the key " + to_hex(key));
    }
    effects_.clear();
  }

  const std::vector<Rules>& rules_;
  std::size_t turn_ = 0;
  const plan::Plan* plan_;
  const store::Journal& journal_;
  Record& record_;
  Replay& into_;
  store::Group group_ = 0;
  store::Position position_ = 0;
  Timestamp stamp_;
  std::vector<store::SetAside> set_aside_;
  std::map<std::string, core::State> customers_;
  // Where some rules have metrics that others lack: each rules' plan with those of all, and the
  // customers as they stand under it.
  bool has_new_metrics_ = false;
  std::vector<const plan::Plan*> all_;
  std::vector<plan::Plan> extended_;
  std::map<std::string, core::State> beside_;
  std::vector<core::Effect> effects_;
  Kept kept_;
  std::optional<core::Accounts> accounts_;  // of the rules at hand
};

}  // namespace

std::string source_of(const plan::Plan& plan, const core::Effect& effect) {
  if (effect.campaign) return plan.campaigns[effect.campaign.index()].symbol.name;
  const core::Gift& gift = *effect.gift;
  return gift.referral ? plan.referrals[gift.referral.index()].symbol.name
                       : plan.incentives[gift.incentive.index()].symbol.name;
}

Replay replay(const std::vector<Rules>& rules, const store::Journal& journal, store::Groups groups,
              Record& record) {
  Replay all;
  Replaying replaying(rules, journal, record, all);
  for (store::Group group = 0; group < groups.count; ++group) replaying.group(group);
  return all;
}

}  // namespace koi::simulator
