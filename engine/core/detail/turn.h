// Turn: one input's way through one customer's state. Private to core: decide.cpp has the order in
// which things happen, journey.cpp what a campaign does with them, concern.cpp whom they concern.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/accounts.h"
#include "core/decide.h"
#include "core/evaluate.h"
#include "ledger/draw.h"

namespace koi::core {

// What names derive from: an input's event, or a hash that is known already. Hashing the event is
// put off until something needs a name, which most events never do.
struct Cause {
  const Event* event = nullptr;
  Hash128 known;
};

// An event as the stages see it. Nothing is owned.
struct Happening {
  EventTypeId type;
  Timestamp time;
  std::span<const Value> fields;
  Cause cause;
  bool late = false;       // older than what the customer has seen
  bool by_engine = false;  // follows from a decision; `any event` does not mean it
};

template <class Items, class Item>
bool has(const Items& items, const Item& item) {
  return std::find(items.begin(), items.end(), item) != items.end();
}

// A customer whom another remembers without his id.
inline std::uint64_t hash_of_customer(std::string_view id) { return hash64(id, 0x667269656e64); }

// Is or was the friend called so?
inline bool goes_by(const Friend& brought, std::string_view name) {
  return brought.invitee == name || std::find(brought.names.begin(), brought.names.end(),
                                              hash_of_customer(name)) != brought.names.end();
}

// Is it a packet that friends share?
inline bool is_group_packet(const plan::Plan& plan, plan::IncentiveId id) {
  const auto* packet = std::get_if<plan::RedPacket>(&plan.incentives[id.index()].what);
  return packet && packet->how == plan::RedPacket::How::Group;
}

class Turn {
 public:
  Turn(const plan::Plan& plan, State& state, std::vector<Effect>& effects, Waking* waking,
       Accounts* accounts)
      : plan_(plan),
        state_(state),
        effects_(effects),
        waking_(waking),
        accounts_(accounts),
        was_settled_(state.begun && state.schedules_done < state.clock) {
    forget_changes();
  }

  void pass_over(const Event& event);
  Standing take(const Event& event);
  Standing take(const Tick& tick);
  Standing take(const Receipt& receipt);
  Standing take(const Message& message);
  Standing take(const Call& call);
  void take(State other, Timestamp at);  // merge.h

 private:
  // A trigger that may let the customer in, in the order of campaigns.
  struct Candidate {
    enum class Kind : std::uint8_t {
      Completed,  // the forming journey `cause` has all its parts
      Began,      // the event at hand is a trigger's first
      Fired,      // a watch crossed or a schedule came
    };
    plan::CampaignId campaign;
    std::uint16_t trigger = 0;
    Kind kind = Kind::Fired;
    Hash128 cause;  // of Began: none, the event at hand is it
    friend auto operator<=>(const Candidate& a, const Candidate& b) {
      return std::tuple(a.campaign, a.kind, a.trigger) <=>
             std::tuple(b.campaign, b.kind, b.trigger);
    }
    friend bool operator==(const Candidate& a, const Candidate& b) { return (a <=> b) == 0; }
  };
  // An event that follows from a decision, taken when the one at hand is done: one of the engine's
  // own that somebody listens to, or what a step emits.
  struct Echo {
    EventTypeId type;
    std::vector<Value> fields;
    Hash128 cause;
    bool by_engine = true;
  };

  // decide.cpp: the order of things
  void advance(Timestamp to, bool inclusive);
  void fire_due();
  void happen(const Happening& what);
  void happen_echoes();
  void apply_profile(const Happening& what, const plan::Reaction& reaction);
  void apply_consent(const Event& event);
  void apply_metrics(const Happening& what, const plan::Reaction& reaction);
  void remember(const Happening& what, const plan::Reaction& reaction);
  void update_watches(std::span<const plan::WatchId> todo, const Cause& cause);
  void cross(plan::WatchId id, const Cause& cause);
  Hash128 hash_of(const Cause& cause);
  void echo(EngineEvent type, std::vector<Value> fields, Hash128 cause);
  bool is_listened_to(EngineEvent type) const;
  void find_leave_flip(Journey& journey);
  void settle();

  // concern.cpp: whom an input concerns
  void find_begins(const Happening& what, const plan::Reaction& reaction);
  void find_counted(const Happening& what, const plan::Reaction& reaction);
  void count(plan::AccumulatorId id, const Happening& what);
  void log(plan::LogId id, const Happening& what);
  std::span<const plan::WatchId> watches_to_ask(const plan::Reaction& reaction);
  std::span<const plan::WatchId> all_watches(std::vector<plan::WatchId>& room);
  // Is there a reason to ask again whether the journey is left? When the customer's timers were
  // last found its conditions did not hold, and none can before `leave_flip` unless what it reads
  // changes.
  bool may_want_out(const Journey& journey) const {
    return !waking_ || journey.leave_flip <= now_ ||
           (!waking_->changed.all().empty() &&
            waking_->changed.any_of(waking_->index.left_by(journey.campaign)));
  }
  void fire_schedules(std::vector<Candidate>& found);
  void settle_schedules();
  Timestamp next_schedule() const;
  Timestamp next_of(const plan::TriggerRef& ref, Timestamp from) const;
  Timestamp schedules_from() const;
  void ask_anew();
  // INVARIANT: whatever changes what a condition can read (attributes, metrics, watches, consents)
  // says so here, before a condition is asked again.
  template <class Id>
  void note_change(Id id) {
    if (waking_) note_source(waking_->index.sources().of(id));
  }
  void note_source(match::SourceId source) {
    waking_->changed.note(source);
    waking_->fresh.note(source);
    waking_->readings.forget();
  }
  void forget_changes() {
    if (!waking_) return;
    waking_->changed.begin(waking_->index.sources());
    waking_->fresh.begin(waking_->index.sources());
    waking_->readings.begin(plan_.metrics.size());
  }
  Readings* readings() const { return waking_ ? &waking_->readings : nullptr; }

  // journey.cpp: what campaigns do
  void pass_journeys(const Happening& what);
  void pass_forming(Journey& journey, const Happening& what);
  bool wants_out(const Journey& journey) const;  // is a condition met that it is left by?
  void leave_by_conditions();
  void wake(Journey& journey);
  void wake(OpenSend& open);
  void admit(const Happening* what);
  void begin(const Candidate& candidate, const Happening& what);
  void look_back(Journey& journey, Timestamp since);
  void enter(plan::CampaignId id, std::uint16_t trigger, List<Value> frame, Hash128 cause);
  bool is_in(plan::CampaignId campaign, std::uint64_t key) const;
  plan::CampaignId noted_under(plan::CampaignId campaign) const;
  bool may_enter_again(const plan::Campaign& campaign, plan::CampaignId id,
                       std::uint64_t key) const;
  void run(Journey& journey);
  bool do_send(const plan::Send& send, Journey& journey);
  void do_set(const plan::Set& set, Journey& journey);
  void change(AttributeId attribute, Value value, Hash128 cause);
  void finish(Journey& journey);
  void end(Journey& journey);
  void reach_goal(Journey& journey);
  void leave(Journey& journey, Reason reason = Reason::None);
  bool is_over(const Journey& journey) const;
  void sweep();
  bool matches(const plan::EventMatch& match, const Happening& what,
               std::span<const Value> frame) const;
  void capture(const plan::Binding& binding, const Happening& what, List<Value>& frame) const;
  std::uint64_t key_of(const plan::Campaign& campaign, std::span<const Value> frame) const;
  Journey* find_journey(Hash128 id);
  Effect& emit(const Journey& journey, Action action);

  // acts.cpp: steps that neither send nor wait for something
  bool act(const plan::Step& step, Journey& journey);
  Effect& emit_or_refuse(const Journey& journey, Action action);
  void do_tag(const plan::Tag& tag, const Journey& journey);
  void do_split(const plan::Split& split, Journey& journey);
  bool go_again(const plan::Again& again, Journey& journey);
  void do_emit(const plan::Emit& emit, const Journey& journey);
  void do_notify(const plan::Notify& notify, const Journey& journey);
  void do_call(const plan::Call& call, const Journey& journey);
  void do_start(const plan::Start& start, const Journey& journey);

  // One message on the first channel that takes it, from `open.channel` on.
  struct Attempt {
    bool delayed = false;
    Timestamp until;
  };
  Attempt attempt(const plan::Send& send, OpenSend open, bool held_out,
                  std::span<const Value> frame);
  std::string address(plan::ChannelId channel) const;
  std::optional<std::size_t> channel_of_reply(const plan::Send& send,
                                              std::span<const Value> frame) const;
  const plan::Message::Variant* variant_of(const plan::Message& message,
                                           plan::ChannelId channel) const;
  bool render(const plan::Message& message, plan::ChannelId channel, std::span<const Value> frame,
              Text& text, Reason& reason) const;

  void mark(plan::CampaignId campaign, Trace::What what, std::size_t place = 0,
            std::size_t part = 0) const {
    if (waking_ != nullptr && waking_->trace != nullptr)
      waking_->trace->marks.insert(
          {campaign, what, static_cast<std::uint16_t>(place), static_cast<std::uint16_t>(part)});
  }

  // Something to be given, by whom and why.
  struct Offer {
    plan::CampaignId campaign;
    plan::ReferralId referral;
    Hash128 entry, key;
    plan::IncentiveId incentive;
    std::int64_t points = 0;
    bool what_is_left = false;
  };

  // room.cpp: may it be given
  std::int64_t money_of(const plan::Incentive& incentive, std::int64_t amount) const;
  std::int64_t weight_of(const plan::Incentive& incentive, bool is_money,
                         std::int64_t amount) const;
  // What is to be given beside what is asked about.
  struct Planned {
    std::map<plan::BudgetId, std::int64_t> budgets;
    std::map<plan::LimitId, std::int64_t> limits;
    template <class Id>
    static std::int64_t of(const std::map<Id, std::int64_t>& amounts, Id id) {
      const auto place = amounts.find(id);
      return place == amounts.end() ? 0 : place->second;
    }
  };
  std::vector<plan::LimitId> limits_of(const plan::Incentive& incentive, bool is_share) const;
  std::optional<std::int64_t> room_in(const plan::Limit& limit, bool is_share, std::int64_t want);
  Reason ask_limits(const plan::Incentive& incentive, std::int64_t amount, bool is_share,
                    const Planned& planned);
  std::int64_t room_for_share(const plan::Incentive& incentive);
  plan::Limit as_limit(const plan::Limit& limit, bool is_share) const;
  std::optional<std::uint64_t> counted_by(const plan::Limit& limit) const;
  List<Counted>& counted_in(std::uint64_t limit, std::uint64_t value);
  void count_limits(const plan::Incentive& incentive, std::int64_t amount, bool is_share,
                    List<Counted>& record_of);
  void release_limits(const List<Counted>& counted);
  std::vector<plan::BudgetId> budgets_of(const Offer& offer) const;
  std::optional<std::int64_t> affordable(const Offer& offer, std::int64_t amount,
                                         const Planned& planned) const;
  std::int64_t amount_of(const Offer& offer) const;
  ledger::Drawn drawn(const Offer& offer) const;
  Reason lacks_codes(const plan::Coupon& coupon, plan::IncentiveId id) const;
  Reason ask_grant(const Offer& offer, Planned& planned);

  // incentives.cpp: what is given
  Holdings& holdings();
  Effect& gift_effect(Action action, const Offer& offer);
  void refuse_gift(Action of, const Offer& offer, Reason reason);
  Value asked_for(const Offer& offer) const;
  ledger::Cause cause_of(Hash128 decision);
  void move(const Grant& grant, ledger::Stage from, ledger::Stage to);
  void move(const List<Charge>& charges, Hash128 decision, ledger::Stage from, ledger::Stage to);
  void tell(EngineEvent event, const Grant& grant, std::int64_t amount);
  void tell(EngineEvent event, const Grant& grant, std::int64_t amount, Hash128 occasion);
  bool grant(const Offer& offer);
  void make(const plan::Incentive& incentive, const Offer& offer, Grant& made);
  std::string code_for(const plan::Incentive& incentive, const plan::Coupon& coupon,
                       const Offer& offer);
  Hash128 key_of_drawn(Hash128 draw) const;
  void hand_out(const Offer& offer, std::size_t prize);
  Offer offer_of(const plan::Give& give, const Journey& journey, std::size_t occurrence) const;
  bool do_give(const plan::Give& give, Journey& journey);
  void do_claw_back(const plan::ClawBack& back, const Journey& journey);
  bool do_take(const plan::Take& take, Journey& journey);

  // grants.cpp: what becomes of it
  void settle_grant(Grant& grant, bool is_unopened = false);
  Purse& purse_of(plan::IncentiveId points);
  void note_moved(Purse& purse, Moved::What what, std::int64_t amount) const;
  ledger::Lot lot_of(const Grant& grant, const plan::Points& points) const;
  bool may_go_back(const Grant& grant) const;
  bool may_be_clawed_back(const Grant& grant) const;
  void grants_changed(Hash128 cause);
  bool take_payout(const Receipt& receipt);
  Grant* reported(EventTypeId type, std::span<const Value> fields);
  bool refuse_redemption(const Event& event);
  std::span<const Value> completed(const Event& event, std::vector<Value>& room);
  void note_claim(const Happening& what);
  void use_up(Grant& grant, std::optional<std::int64_t> off);
  std::int64_t charge_rest(Grant& grant) const;
  void lapse(Grant& grant, std::int64_t rest);
  void lapse_grants();

  // shares.cpp: what friends take of a packet
  bool claim_share(const Event& event);
  Reason ask_for_share(const Accounts::Place& place, std::string_view code, const Offer& offer);
  void take_claim(const Message& message);
  void take_claimed(const Message& message);
  bool take_share_payout(const Receipt& receipt);
  void take_paid(const Message& message);
  void put_back_share(Grant& packet, std::size_t place, Hash128 cause);

  // calls.cpp: what is asked by tills, pages and reviewers
  std::optional<Answer> answer_to(const Call& call, Hash128 key);
  std::optional<Answer> claim(const Call& call, Hash128 key);
  Answer redeem(const Call& call, Hash128 key);
  Answer roll_back(const Call& call, Hash128 key);
  Answer spend(const Call& call, Hash128 key);
  Answer unspend(const Call& call, Hash128 key);
  void free_losers(const Call& call, const Grant& winner);
  void finish_claim(const Message& message);

  // referral.cpp: who brought whom
  const plan::Referral& referral(plan::ReferralId id) const;
  std::uint64_t mark_of(AttributeId attribute) const;
  std::vector<std::uint64_t> marks_for(plan::ReferralId id) const;
  bool is_same(plan::ReferralId id, const std::vector<std::uint64_t>& marks) const;
  Message message_to(std::string to, Message::Kind kind, plan::ReferralId id, Hash128 key) const;
  Offer offer_of(plan::ReferralId id, Hash128 entry, std::string_view invitee,
                 std::string_view what, std::size_t number) const;
  void refuse_join(plan::ReferralId id, Hash128 key, Reason reason);
  void touch(const Event& event, bool was_there);
  void join(plan::ReferralId id, const std::string& inviter, std::string code, const Event& event,
            bool was_there);
  void ask_above(Message join, const std::string& inviter, const Binding* own);
  void take_join(const Message& message);
  void take_joined(const Message& message);
  void reward_for_event(Binding& binding, EventTypeId type);
  bool give_reward(Offer offer, plan::IncentiveId incentive, plan::NodeId amount);
  bool has_room_for_friend(plan::ReferralId id);
  void count_friend(plan::ReferralId id);
  // A reward that is due for a friend, by its number; `marks` are the friend's, which must not be
  // those of who is rewarded.
  struct DueReward {
    std::size_t number = 0;
    Hash128 key, entry;
    std::vector<std::uint64_t> marks;
  };
  void reward_for_friend(Offer offer, const plan::Referral::Reward& reward, bool& was_rewarded);
  void reward_for(Friend& brought, const DueReward& due);
  void reward_above(Friend& brought, const DueReward& due);
  bool decline_same(Friend& brought, const std::vector<std::uint64_t>& marks);
  void note_for_inviter(const Happening& what);
  void qualify(Binding& binding);
  bool is_undone(const plan::Referral& rules, const Happening& what, Timestamp qualified);
  void revoke(Binding& binding);
  void take_qualified(const Message& message);
  void qualify_friend(Friend& brought, Hash128 key, const std::vector<std::uint64_t>& marks);
  void reach_milestones(const Friend& brought, Hash128 key);
  void reach_milestone(const Friend& brought, std::size_t number, Hash128 key);
  void reach_milestones_together(plan::ReferralId id, std::int64_t either_had);
  void take_claw_back(const Message& message);
  void take_reward_above(const Message& message);
  void take_claw_back_above(const Message& message);
  void take_milestone(const Message& message);
  void claw_back(Hash128 key);
  bool is_revoked(const Grant& grant);
  bool give_to_inviter(const Offer& offer);
  void take_reward(const Message& message);
  Answer review(const Call& call, Hash128 key);

  // merge.cpp, merge_holdings.cpp: another customer is he
  void join_profile(State& other);
  void join_metrics(const State& other);
  void join_watches(const State& other);
  void join_journeys(State& other);
  void join_holdings(State& other, Timestamp known_since);
  void drop_existing(List<Binding>& bindings, const std::string& name, Timestamp known_since);
  void join_friendships(Holdings& theirs, const std::string& name);
  std::optional<std::size_t> reward_of(plan::ReferralId id, Hash128 key,
                                       const std::vector<std::string>& names) const;
  List<Hash128> rewards_given_twice(plan::ReferralId id, const List<Hash128>& lost,
                                    const List<Hash128>& kept, bool is_other_inviter);
  List<Hash128> rewards_for_both(plan::ReferralId id, const List<Hash128>& kept,
                                 const List<Hash128>& other, const std::vector<std::string>& names);
  void give_up(List<Hash128>& rewards, Hash128 key);
  Hash128 key_of_given_up(Hash128 reward) const;
  void unite_friends(std::vector<std::string> names);
  void unite_brought(Friend& by, const std::vector<std::string>& names);
  void close(Friend& brought);
  void drop_own_friendship();
  std::vector<std::uint64_t> hashes_of_others() const;
  void introduce_as_well(const State& other);
  void tell_name(const std::string& to, std::uint64_t known_as, Hash128 key);
  Message renamed(const std::string& to, Hash128 key) const;
  void take_renamed(const Message& message);
  void take_renamed_above(const Message& message);
  void take_apart(const Message& message);

  // `any event` does not mean what the engine makes, nor what happens to everyone.
  bool is_meant(const plan::EventMatch& match, const Happening& what) const {
    if (!match.type.is_none()) return match.type == what.type;
    return !what.by_engine && !plan_.schema[what.type].to_everyone;
  }

  Facts facts(std::span<const Value> frame = {}) const {
    return {plan_, state_, now_, {}, {}, frame, readings()};
  }
  Facts facts(const Happening& what, std::span<const Value> frame = {}) const {
    return {plan_, state_, now_, what.fields, what.time, frame, readings()};
  }
  const plan::Campaign& campaign(plan::CampaignId id) const { return plan_.campaigns[id.index()]; }
  const Zone& zone() const { return zone_of(plan_, state_); }

  const plan::Plan& plan_;
  State& state_;
  std::vector<Effect>& effects_;
  Waking* const waking_;      // none: every condition is asked
  Accounts* const accounts_;  // none: nothing is given under this plan
  // The customer's timers are those that an earlier turn has found. Not so before his first event,
  // nor when a schedule is the last that he has seen: it may have been passed over.
  bool was_settled_;
  bool has_ended_ = false;  // a journey has, or has reached its goal, since the last sweep
  Hash128 event_hash_;      // of event_, which was hashed last
  const Event* event_ = nullptr;
  Cause input_{};          // what this turn follows from
  std::uint8_t hops_ = 0;  // of the message that it is, so many were before
  Timestamp now_;
  bool identity_is_new_ = false;  // by the event at hand
  std::vector<Candidate> candidates_;
  std::vector<Echo> echoes_;
  // INVARIANT: a campaign lets a customer in at most once (for each key) in one input: what its
  // journeys set or cause can not let them in again, so that every input ends.
  std::vector<std::pair<plan::CampaignId, std::uint64_t>> let_in_;
};

}  // namespace koi::core
