#include "replay.h"

#include <algorithm>

#include "deploy/carry.h"
#include "durable/input.h"
#include "store/store.h"

namespace koi::simulator {

namespace {

class Replaying {
 public:
  Replaying(const std::vector<Rules>& rules, const store::Journal& journal, Record& record,
            Replay& into)
      : rules_(rules), plan_(rules.front().plan), journal_(journal), record_(record), into_(into) {}

  void group(store::Group group) {
    group_ = group;
    stamp_ = Timestamp::ever();
    customers_.clear();
    position_ = 0;
    turn_ = 0;
    plan_ = rules_.front().plan;
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
    into_.customers.merge(customers_);
    into_.ends.push_back(position_);
    into_.set_aside.push_back(set_aside_);
  }

 private:
  // Those that decide what stands at `position`: everybody is carried over to them.
  void change_rules(store::Position position) {
    while (turn_ + 1 < rules_.size() && rules_[turn_ + 1].behind[group_] < position) {
      const Rules& next = rules_[++turn_];
      const deploy::Carry carry(*plan_, *next.plan);
      deploy::Carried carried;
      if (!carry.changes_nothing())
        for (auto& [id, state] : customers_) state = carry(std::move(state), next.since, carried);
      plan_ = next.plan;
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
    for (std::uint32_t fired = 0; fired < opening.timers; ++fired) {
      const auto next = std::min_element(
          customers_.begin(), customers_.end(),
          [](auto& a, auto& b) { return core::next_due(a.second) < core::next_due(b.second); });
      if (next == customers_.end() || core::next_due(next->second) >= stamp_) break;
      if (is_set_aside(store::place_of(partition_of(next->first), next->first) + 1)) {
        core::pass_over_due(next->second, stamp_);
        continue;
      }
      core::decide(*plan_, next->second, core::Tick{core::next_due(next->second), true}, effects_);
      keep_effects(next->first);
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
    const core::Standing standing = core::decide(*plan_, customer(event.customer), event, effects_);
    into_.standings[event.id.substr(0, event.id.find('#'))].push_back(standing);
    say_consent(event, standing);
    keep_effects(event.customer);
  }

  void apply(durable::ReceiptFor& came) {
    came.receipt.time = stamp_;
    into_.receipts.emplace(came.receipt.key, came.receipt);
    if (is_set_aside(0)) return;
    core::decide(*plan_, customer(came.customer), came.receipt, effects_);
    keep_effects(came.customer);
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

  void keep_effects(const std::string& customer) {
    for (core::Effect& effect : effects_) {
      const std::string& campaign = plan_->campaigns[effect.campaign.index()].symbol.name;
      into_.figures[plan::full_name_of(plan_->campaigns[effect.campaign.index()])].count(effect);
      if (effect.action == core::Action::Enter) ++into_.entries[{campaign, customer}];
      if (effect.action != core::Action::Send) continue;
      const Hash128 key = effect.key;
      into_.sends_in_order.push_back(key);
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
  std::vector<core::Effect> effects_;
};

}  // namespace

Replay replay(const std::vector<Rules>& rules, const store::Journal& journal, store::Groups groups,
              Record& record) {
  Replay all;
  Replaying replaying(rules, journal, record, all);
  for (store::Group group = 0; group < groups.count; ++group) replaying.group(group);
  return all;
}

}  // namespace koi::simulator
