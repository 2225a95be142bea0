// Who brought whom: invitations by code, what the invitee must do, and what either side is given
// for it. The two sides know of each other by messages alone.
#include <algorithm>
#include <utility>

#include "core/detail/turn.h"
#include "core/merge.h"
#include "model/codec.h"

namespace koi::core {

namespace {

// So many above him a customer remembers, to notice a ring.
constexpr std::size_t ancestors_at_most = 16;
// So many messages in a row, each caused by the one before, are enough for anything.
constexpr std::uint8_t hops_at_most = 16;

// The settled one, or else the one that its inviter is asked about.
Binding* binding_of(Holdings& holdings, plan::ReferralId referral) {
  for (Binding& each : holdings.bindings)
    if (each.referral == referral) return &each;
  return nullptr;
}

Friend* friend_of(Holdings& holdings, plan::ReferralId referral, std::string_view invitee) {
  for (Friend& each : holdings.friends)
    if (each.referral == referral && goes_by(each, invitee)) return &each;
  return nullptr;
}

// By which names whoever joins knows himself and his inviter. Either may be called otherwise when
// the other hears of it, and could tell only those of whom he knew.
Hash128 names_in_join(const std::string& inviter, const std::string& invitee) {
  return {hash_of_customer(inviter), hash_of_customer(invitee)};
}

// Names what he says by that event: that he was brought under that referral.
Hash128 key_of_join(const plan::Plan& plan, std::string_view customer, std::string_view event,
                    const plan::Referral& rules) {
  return HashInput()
      .text("join")
      .text(customer)
      .text(event)
      .text(rules.symbol.name)
      .hash128(plan.seed);
}

// An event as a binding remembers it while its inviter is asked.
std::uint64_t mark_of_event(const plan::Plan& plan, EventTypeId type) {
  return hash64(plan.schema[type].symbol.name);
}

// Names the refusal of a reward, which keeps its own key for when somebody has looked at the
// friend.
Hash128 key_of_held(Hash128 reward) {
  return HashInput().text("held").number(reward.high).number(reward.low).hash128();
}

}  // namespace

const plan::Referral& Turn::referral(plan::ReferralId id) const {
  return plan_.referrals[id.index()];
}

// What an attribute says, in a form that does not tell it to others; 0 where it says nothing.
std::uint64_t Turn::mark_of(AttributeId attribute) const {
  const Value& value = state_.attributes[attribute.index()];
  if (value.is_missing()) return 0;
  ByteWriter bytes;
  bytes.value(value);
  return std::max<std::uint64_t>(1, hash64(bytes.bytes(), plan_.seed));
}

// Of all that must differ between the two sides of a referral.
std::vector<std::uint64_t> Turn::marks_for(plan::ReferralId id) const {
  std::vector<std::uint64_t> marks;
  for (const AttributeId same : referral(id).refuses_same) marks.push_back(mark_of(same));
  return marks;
}

// Has he one of another's marks?
bool Turn::is_same(plan::ReferralId id, const std::vector<std::uint64_t>& marks) const {
  const auto& same = referral(id).refuses_same;
  for (std::size_t i = 0; i < same.size() && i < marks.size(); ++i)
    if (marks[i] != 0 && marks[i] == mark_of(same[i])) return true;
  return false;
}

Message Turn::message_to(std::string to, Message::Kind kind, plan::ReferralId id,
                         Hash128 key) const {
  Message message;
  message.kind = kind;
  message.key = key;
  message.time = now_;
  message.from = state_.id;
  message.to = std::move(to);
  message.referral = id;
  message.hops = static_cast<std::uint8_t>(hops_ + 1);
  return message;
}

// What a referral gives for that friend, or refuses him: once in all, whoever brought him last.
Turn::Offer Turn::offer_of(plan::ReferralId id, Hash128 entry, std::string_view invitee,
                           std::string_view what, std::size_t number) const {
  Offer offer;
  offer.referral = id;
  offer.entry = entry;
  offer.key = HashInput()
                  .text(what)
                  .text(invitee)
                  .number(referral(id).definition)
                  .number(number)
                  .hash128(plan_.seed);
  return offer;
}

std::int64_t friends_who_count(const Holdings& holdings, plan::ReferralId referral) {
  return std::count_if(holdings.friends.begin(), holdings.friends.end(), [&](const Friend& each) {
    return each.referral == referral && each.stage == Friend::Stage::Qualified;
  });
}

Hash128 key_of_milestone(const plan::Plan& plan, plan::ReferralId referral, std::size_t milestone,
                         std::string_view inviter) {
  const plan::Referral& rules = plan.referrals[referral.index()];
  const plan::Referral::Milestone& what = rules.milestones[milestone];
  return HashInput()
      .text((what.to_invitee ? "friend's milestone " : "milestone ") +
            plan.incentives[what.incentive.index()].symbol.name)
      .text(inviter)
      .number(rules.definition)
      .number(static_cast<std::size_t>(what.friends))
      .hash128(plan.seed);
}

bool has_reached(const plan::Plan& plan, const State& state, plan::ReferralId referral,
                 std::size_t milestone) {
  if (state.holdings.empty()) return false;
  const auto& reached = state.holdings[0].milestones;
  const auto is_by = [&](const std::string& name) {
    return has(reached, key_of_milestone(plan, referral, milestone, name));
  };
  return is_by(state.id) || std::any_of(state.same.begin(), state.same.end(), is_by);
}

void Turn::refuse_join(plan::ReferralId id, Hash128 key, Reason reason) {
  Offer offer;
  offer.referral = id;
  offer.entry = key;
  offer.key = HashInput().text("refused").number(key.high).number(key.low).hash128(plan_.seed);
  refuse_gift(Action::Claim, offer, reason);
}

// An event that carries somebody's code: he says that he was brought by him.
void Turn::touch(const Event& event, bool was_there) {
  const EventType& type = plan_.schema[event.type];
  for (std::size_t i = 0; i < type.fields.size() && i < event.fields.size(); ++i) {
    if (type.fields[i].type.text != TextKind::Code || event.fields[i].is_missing()) continue;
    const std::string code(code_of_scene(event.fields[i].as_text()));
    const Accounts::Place* place = accounts_->find(code);
    if (place && !place->referral.is_none())
      join(place->referral, place->customer, code, event, was_there);
  }
}

void Turn::join(plan::ReferralId id, const std::string& inviter, std::string code,
                const Event& event, bool was_there) {
  const plan::Referral& rules = referral(id);
  Binding fresh;
  fresh.referral = id;
  fresh.inviter = inviter;
  fresh.at = now_;
  fresh.code = std::move(code);
  fresh.by = event.type;
  fresh.key = key_of_join(plan_, state_.id, event.id, rules);
  fresh.qualifies = matches({rules.qualify_type, rules.qualify_where},
                            {event.type, event.time, event.fields, {&event, {}}}, {});
  auto& bindings = holdings().bindings;
  Binding* const before = binding_of(holdings(), id);
  const bool is_refused_himself = rules.refuses_self || !rules.refuses_same.empty();
  if (!(is_called(state_, inviter) && is_refused_himself) &&
      (!before || before->inviter != inviter))
    accounts_->count(id, books::Tally::Asked);
  if (before) {
    const bool holds_still =
        !rules.touch_lasts || add(before->at, *rules.touch_lasts, *plan_.policy.zone) >= now_;
    if (before->inviter == inviter) {
      if (!(rules.first_touch && holds_still)) before->at = now_;
      return;
    }
    if (before->qualified != Timestamp::never() || (rules.first_touch && holds_still))
      return refuse_join(id, fresh.key, Reason::BoundBefore);
  }
  if (rules.refuses_self && is_called(state_, inviter))
    return refuse_join(id, fresh.key, Reason::Self);
  if (rules.refuses_existing && was_there && !before)
    return refuse_join(id, fresh.key, Reason::Existing);
  for (const plan::NodeId condition : rules.refuses_whom)
    if (core::holds(facts(), condition)) return refuse_join(id, fresh.key, Reason::NotEligible);
  Message message = message_to(inviter, Message::Kind::Join, id, fresh.key);
  message.code = fresh.code;
  message.entry = names_in_join(inviter, state_.id);
  message.hashes = marks_for(id);
  accounts_->send(std::move(message));
  // The one before holds until this inviter has taken him.
  erase_if(bindings, [&](const Binding& each) { return each.referral == id && !each.is_settled; });
  const auto place =
      std::upper_bound(bindings.begin(), bindings.end(), id,
                       [](plan::ReferralId a, const Binding& b) { return a < b.referral; });
  bindings.insert(place, std::move(fresh));
}

// All above the inviter are asked in turn, each by whoever he has brought: a ring may close further
// up than an invitee remembers, where somebody there was brought later, or in another group at this
// very moment. Such a Join says in `known_as` whom he asks, to whom it comes back when nobody above
// is he himself, and in `amount` how many were asked.
void Turn::ask_above(Message join, const std::string& inviter, const Binding* own) {
  const bool goes_on = own && join.amount < static_cast<std::int64_t>(ancestors_at_most);
  join.to = goes_on ? own->inviter : inviter;
  join.known_as = inviter;
  ++join.amount;
  accounts_->send(std::move(join));
}

void Turn::take_join(const Message& message) {
  const plan::Referral& rules = referral(message.referral);
  const Binding* own = binding_of(holdings(), message.referral);
  const bool has_asked_above = !message.known_as.empty() && is_called(state_, message.known_as);
  if (!message.known_as.empty() && !has_asked_above) {
    if (!is_called(state_, message.from)) return ask_above(message, message.known_as, own);
    Message refused =
        message_to(message.from, Message::Kind::Joined, message.referral, message.key);
    refused.from = message.known_as;
    refused.code = message.code;
    refused.reason = Reason::Cycle;
    return accounts_->send(std::move(refused));
  }
  Message answer = message_to(message.from, Message::Kind::Joined, message.referral, message.key);
  answer.code = message.code;
  answer.entry = message.entry;
  const std::uint64_t who = hash_of_customer(message.from);
  const bool knows_above = own && own->is_settled;  // else they are marks of events
  if (is_same(message.referral, message.hashes)) answer.reason = Reason::Same;
  for (const plan::NodeId condition : rules.refuses_whom)
    if (core::holds(facts(), condition)) answer.reason = Reason::NotEligible;
  if (rules.refuses_cycle && own &&
      (own->inviter == message.from || (knows_above && has(own->ancestors, who))))
    answer.reason = Reason::Cycle;
  // The two have turned out to be one person while he was asked.
  if (rules.refuses_self && is_called(state_, message.from)) answer.reason = Reason::Self;
  if (answer.reason == Reason::None && rules.refuses_cycle && own && !has_asked_above)
    return ask_above(message, state_.id, own);
  if (answer.reason == Reason::None && !friend_of(holdings(), message.referral, message.from)) {
    Friend made;
    made.referral = message.referral;
    made.invitee = message.from;
    made.at = now_;
    if (rules.review_more_than > 0) {
      const Timestamp since = subtract(now_, rules.review_within, *plan_.policy.zone);
      const auto lately = std::count_if(
          holdings().friends.begin(), holdings().friends.end(),
          [&](const Friend& each) { return each.referral == message.referral && each.at > since; });
      made.in_review = lately >= rules.review_more_than;
      if (made.in_review)
        accounts_->hold_for_review(message.referral, state_.id, message.from, now_);
    }
    auto& friends = holdings().friends;
    const auto place =
        std::upper_bound(friends.begin(), friends.end(), message.referral,
                         [](plan::ReferralId a, const Friend& b) { return a < b.referral; });
    const bool is_first = place == friends.begin() || (place - 1)->referral != message.referral;
    friends.insert(place, std::move(made));
    accounts_->count(message.referral, books::Tally::Joined);
    if (is_first) accounts_->count(message.referral, books::Tally::Inviters);
  }
  if (answer.reason == Reason::None) {
    tell_name(message.from, message.entry.high, message.key);
    answer.hashes.push_back(hash_of_customer(state_.id));
    if (knows_above)
      for (const std::uint64_t each : own->ancestors)
        if (answer.hashes.size() < ancestors_at_most) answer.hashes.push_back(each);
  }
  accounts_->send(std::move(answer));
}

void Turn::take_joined(const Message& message) {
  // Also where he has said something else since: he stands among the other's friends.
  if (message.reason == Reason::None) tell_name(message.from, message.entry.low, message.key);
  auto& bindings = holdings().bindings;
  const auto is_asked = [&](const Binding& each) {
    return each.key == message.key && !each.is_settled;
  };
  const auto place = std::find_if(bindings.begin(), bindings.end(), is_asked);
  if (place == bindings.end()) return;  // he has said something else since
  Binding joined = std::move(*place);
  bindings.erase(place);
  if (message.reason != Reason::None)
    return refuse_join(message.referral, message.key, message.reason);
  if (const Binding* qualified = binding_of(holdings(), message.referral);
      qualified && qualified->qualified != Timestamp::never())  // for the one before, meanwhile
    return refuse_join(message.referral, message.key, Reason::BoundBefore);
  joined.is_settled = true;
  const List<std::uint64_t> meanwhile = std::move(joined.ancestors);
  joined.ancestors.assign(message.hashes.begin(), message.hashes.end());
  Binding* before = binding_of(holdings(), message.referral);
  if (before) {
    joined.rewards = std::move(before->rewards);  // nobody is rewarded twice for him
    *before = std::move(joined);
  } else {
    before = bindings.insert(
        std::lower_bound(bindings.begin(), bindings.end(), message.referral,
                         [](const Binding& a, plan::ReferralId b) { return a.referral < b; }),
        std::move(joined));
  }
  Binding& binding = *before;
  echo(EngineEvent::Joined, {Value::text(message.code)}, message.key);
  if (binding.clawed_back) {  // while his inviter was asked: who has just taken him learns it now
    revoke(binding);
    return grants_changed(message.key);
  }
  reward_for_event(binding, binding.by);
  for (const plan::Referral::Reward& reward : referral(message.referral).rewards)
    if (reward.at && has(meanwhile, mark_of_event(plan_, reward.at)))
      reward_for_event(binding, reward.at);
  if (binding.qualifies) qualify(binding);
  grants_changed(message.key);
}

// What is promised `at` an event of the invitee's, to either side; once each.
void Turn::reward_for_event(Binding& binding, EventTypeId type) {
  const plan::ReferralId id = binding.referral;
  const plan::Referral& rules = referral(id);
  for (std::size_t i = 0; i < rules.rewards.size(); ++i) {
    const plan::Referral::Reward& reward = rules.rewards[i];
    if (reward.at.is_none() || reward.at != type) continue;
    const Offer offer = offer_of(id, binding.key, state_.id, "reward", i);
    if (has(binding.rewards, offer.key)) continue;
    binding.rewards.push_back(offer.key);
    if (reward.to_inviter) {
      Message message = message_to(binding.inviter, Message::Kind::Reward, id, offer.key);
      message.amount = static_cast<std::int64_t>(i);
      message.entry = binding.key;
      message.hashes = marks_for(id);
      accounts_->send(std::move(message));
    } else {
      give_reward(offer, reward.incentive, reward.amount);
    }
  }
}

// True: it was given.
bool Turn::give_reward(Offer offer, plan::IncentiveId incentive, plan::NodeId amount) {
  offer.incentive = incentive;
  if (amount) {
    const Value points = value_of(facts(), amount);
    if (points.is_missing()) {
      refuse_gift(Action::Give, offer, Reason::MissingValue);
      return false;
    }
    offer.points = points.raw();
  }
  return grant(offer);
}

// What the event means for who brought him.
void Turn::note_for_inviter(const Happening& what) {
  if (!accounts_ || state_.holdings.empty()) return;
  for (Binding& binding : holdings().bindings) {
    if (binding.clawed_back) continue;
    const plan::ReferralId id = binding.referral;
    const plan::Referral& rules = referral(id);
    const auto is_within = [&](const std::optional<Span>& span, Timestamp since) {
      return !span || now_ <= add(since, *span, *plan_.policy.zone);
    };
    if (!binding.is_settled) {
      // An inviter of another group may answer when more has come than what says it: that counts
      // when he has taken him. What belongs to the very input that says it comes before.
      if (input_.event && key_of_join(plan_, state_.id, input_.event->id, rules) == binding.key)
        continue;
      const bool is_rewarded =
          std::any_of(rules.rewards.begin(), rules.rewards.end(),
                      [&](const auto& reward) { return reward.at && reward.at == what.type; });
      const std::uint64_t mark = mark_of_event(plan_, what.type);
      if (is_rewarded && !has(binding.ancestors, mark)) binding.ancestors.push_back(mark);
      // He would have qualified with the answer: no time has passed since.
      if (binding.qualifies && is_undone(rules, what, now_)) {
        binding.qualifies = false;
        binding.clawed_back = true;
      } else if (matches({rules.qualify_type, rules.qualify_where}, what, {}) &&
                 is_within(rules.qualify_within, binding.at)) {
        binding.qualifies = true;
      }
      continue;
    }
    reward_for_event(binding, what.type);
    if (binding.qualified == Timestamp::never()) {
      if (matches({rules.qualify_type, rules.qualify_where}, what, {}) &&
          is_within(rules.qualify_within, binding.at))
        qualify(binding);
    } else if (is_undone(rules, what, binding.qualified)) {
      revoke(binding);
    }
  }
}

// Does it take back what was given for somebody who has qualified then?
bool Turn::is_undone(const plan::Referral& rules, const Happening& what, Timestamp qualified) {
  return std::any_of(rules.undone_by.begin(), rules.undone_by.end(), [&](const auto& undoing) {
    return matches({undoing.type, undoing.where}, what, {}) &&
           (!undoing.within || now_ <= add(qualified, *undoing.within, *plan_.policy.zone));
  });
}

// He does not count any more, for himself and for who brought him.
void Turn::revoke(Binding& binding) {
  binding.clawed_back = true;
  accounts_->send(
      message_to(binding.inviter, Message::Kind::ClawBack, binding.referral, binding.key));
  const List<Hash128> rewards = binding.rewards;
  for (const Hash128 key : rewards) claw_back(key);
}

// He has done what counts: what he is given for it, and his inviter is told.
void Turn::qualify(Binding& binding) {
  const plan::ReferralId id = binding.referral;
  const plan::Referral& rules = referral(id);
  binding.qualified = now_;
  Message message = message_to(binding.inviter, Message::Kind::Qualified, id, binding.key);
  message.hashes = marks_for(id);
  accounts_->send(std::move(message));
  for (std::size_t i = 0; i < rules.rewards.size(); ++i) {
    const plan::Referral::Reward& reward = rules.rewards[i];
    if (reward.to_inviter || !reward.at.is_none()) continue;
    const Offer offer = offer_of(id, binding.key, state_.id, "reward", i);
    if (has(binding.rewards, offer.key)) continue;
    binding.rewards.push_back(offer.key);
    give_reward(offer, reward.incentive, reward.amount);
  }
}

void Turn::take_qualified(const Message& message) {
  Friend* found = friend_of(holdings(), message.referral, message.from);
  if (!found || found->stage != Friend::Stage::Joined) return;
  if (decline_same(*found, message.hashes)) return;
  const plan::Referral& rules = referral(message.referral);
  if (found->in_review) {
    found->stage = Friend::Stage::InReview;
    for (std::size_t i = 0; i < rules.rewards.size(); ++i) {
      const plan::Referral::Reward& reward = rules.rewards[i];
      if (!reward.to_inviter || reward.is_one_up || !reward.at.is_none()) continue;
      Offer offer = offer_of(message.referral, message.key, found->invitee, "reward", i);
      offer.incentive = reward.incentive;
      offer.key = key_of_held(offer.key);
      refuse_gift(Action::Give, offer, Reason::Review);
    }
    return;
  }
  qualify_friend(*found, message.key, message.hashes);
}

// They have turned out to be one person, by what the rules say must differ, after he had joined: he
// does not count, and never will. Who has counted already is not asked any more.
bool Turn::decline_same(Friend& brought, const std::vector<std::uint64_t>& marks) {
  const bool is_open =
      brought.stage == Friend::Stage::Joined || brought.stage == Friend::Stage::InReview;
  if (!is_open || !is_same(brought.referral, marks)) return false;
  brought.stage = Friend::Stage::Declined;
  if (std::exchange(brought.in_review, false))
    accounts_->reviewed(brought.referral, state_.id, brought.invitee);
  brought.held.clear();
  Offer offer = offer_of(brought.referral, {}, brought.invitee, "same", 0);
  offer.entry = offer.key;
  refuse_gift(Action::Claim, offer, Reason::Same);
  return true;
}

// He counts, and the inviter is given what he is worth.
void Turn::qualify_friend(Friend& brought, Hash128 key, const std::vector<std::uint64_t>& marks) {
  const plan::ReferralId id = brought.referral;
  const plan::Referral& rules = referral(id);
  const bool is_first =
      std::none_of(holdings().friends.begin(), holdings().friends.end(),
                   [&](const Friend& each) { return each.referral == id && each.has_counted; });
  brought.stage = Friend::Stage::Qualified;
  brought.has_counted = true;
  accounts_->count(id, books::Tally::Qualified);
  if (const Binding* own = binding_of(holdings(), id); is_first && own && own->is_settled)
    accounts_->count_cycle(id, now_ - own->at);
  for (std::size_t i = 0; i < rules.rewards.size(); ++i) {
    if (!rules.rewards[i].to_inviter || !rules.rewards[i].at.is_none()) continue;
    const Offer offer = offer_of(id, key, brought.invitee, "reward", i);
    reward_for(brought, {i, offer.key, key, marks});
  }
  reach_milestones(brought, key);
  grants_changed(key);
}

// Each once, though friends may be lost and won again.
void Turn::reach_milestones(const Friend& brought, Hash128 key) {
  const plan::ReferralId id = brought.referral;
  const std::int64_t friends = friends_who_count(holdings(), id);
  const auto& milestones = referral(id).milestones;
  for (std::size_t i = 0; i < milestones.size(); ++i)
    if (milestones[i].friends == friends) reach_milestone(brought, i, key);
}

void Turn::reach_milestone(const Friend& brought, std::size_t number, Hash128 key) {
  const plan::ReferralId id = brought.referral;
  if (has_reached(plan_, state_, id, number)) return;
  const plan::Referral::Milestone& milestone = referral(id).milestones[number];
  Offer offer;
  offer.referral = id;
  offer.entry = key;
  offer.key = key_of_milestone(plan_, id, number, state_.id);
  holdings().milestones.push_back(offer.key);
  if (!milestone.to_invitee) {
    give_reward(offer, milestone.incentive, milestone.amount);
    return;
  }
  Message message = message_to(brought.invitee, Message::Kind::Milestone, id, offer.key);
  message.amount = static_cast<std::int64_t>(number);
  message.entry = key;
  accounts_->send(std::move(message));
}

// Two who have turned out to be one have more friends than either had: those milestones are reached
// that neither has reached, with the friend by whom the number is full.
void Turn::reach_milestones_together(plan::ReferralId id, std::int64_t either_had) {
  const std::int64_t friends = friends_who_count(holdings(), id);
  const auto& milestones = referral(id).milestones;
  for (std::size_t i = 0; i < milestones.size(); ++i) {
    if (milestones[i].friends <= either_had || milestones[i].friends > friends) continue;
    std::int64_t number = 0;
    std::optional<Friend> with;
    for (const Friend& each : holdings().friends)
      if (each.referral == id && each.stage == Friend::Stage::Qualified &&
          ++number == milestones[i].friends)
        with = each;
    if (with) reach_milestone(*with, i, input_.known);
  }
}

// With him somebody's milestone was reached.
void Turn::take_milestone(const Message& message) {
  Binding* const binding = binding_of(holdings(), message.referral);
  const auto& milestones = referral(message.referral).milestones;
  const auto number = static_cast<std::size_t>(message.amount);
  // An inviter who is called otherwise by now has written it for the binding nevertheless.
  const bool is_his =
      binding && (binding->inviter == message.from || binding->key == message.entry);
  if (!is_his || !binding->is_settled || binding->clawed_back || number >= milestones.size())
    return;
  Offer offer;
  offer.referral = message.referral;
  offer.entry = message.entry;
  offer.key = message.key;
  binding->rewards.push_back(offer.key);
  give_reward(offer, milestones[number].incentive, milestones[number].amount);
  grants_changed(message.key);
}

// --- What an inviter is given for a friend -------------------------------------------------------

// May he be rewarded for one friend more?
bool Turn::has_room_for_friend(plan::ReferralId id) {
  for (const plan::LimitId limit : referral(id).limits) {
    const auto room = room_in(plan_.limits[limit.index()], false, 1);
    if (room && *room < 1) return false;
  }
  return true;
}

void Turn::count_friend(plan::ReferralId id) {
  for (const plan::LimitId each : referral(id).limits) {
    const plan::Limit& limit = plan_.limits[each.index()];
    if (const auto value = counted_by(limit))
      record(counted_in(limit.definition, *value), limit, 1, *value, now_, *plan_.policy.zone);
  }
}

// A friend takes one place of the referral's limits, with the first that is given for him.
void Turn::reward_for_friend(Offer offer, const plan::Referral::Reward& reward,
                             bool& was_rewarded) {
  offer.incentive = reward.incentive;
  if (!was_rewarded && !has_room_for_friend(offer.referral))
    return refuse_gift(Action::Give, offer, Reason::Limit);
  if (!give_reward(offer, reward.incentive, reward.amount) || was_rewarded) return;
  was_rewarded = true;
  count_friend(offer.referral);
}

void Turn::reward_for(Friend& brought, const DueReward& due) {
  const plan::Referral::Reward& reward = referral(brought.referral).rewards[due.number];
  if (reward.is_one_up) return reward_above(brought, due);
  Offer offer;
  offer.referral = brought.referral;
  offer.entry = due.entry;
  offer.key = due.key;
  brought.rewards.push_back(offer.key);
  reward_for_friend(offer, reward, brought.was_rewarded);
}

// It goes to whoever brought the inviter; where nobody did, to nobody.
void Turn::reward_above(Friend& brought, const DueReward& due) {
  if (brought.above.empty()) {
    const Binding* const own = binding_of(holdings(), brought.referral);
    if (!own || !own->is_settled || own->clawed_back) return;
    brought.above = own->inviter;
  }
  Message message =
      message_to(brought.above, Message::Kind::RewardAbove, brought.referral, due.key);
  message.amount = static_cast<std::int64_t>(due.number);
  message.entry = due.entry;
  message.code = brought.invitee;
  message.hashes = due.marks;
  accounts_->send(std::move(message));
}

void Turn::take_reward(const Message& message) {
  if (message.referral.is_none()) {
    Offer offer;
    offer.campaign = message.campaign;
    offer.entry = message.entry;
    offer.key = message.key;
    offer.incentive = message.incentive;
    offer.points = message.amount;
    offer.what_is_left = message.what_is_left;
    grant(offer);
    return;
  }
  const auto& rewards = referral(message.referral).rewards;
  const auto number = static_cast<std::size_t>(message.amount);
  Friend* found = friend_of(holdings(), message.referral, message.from);
  if (!found || found->stage == Friend::Stage::ClawedBack || number >= rewards.size()) return;
  if (decline_same(*found, message.hashes)) return;
  if (!found->in_review && found->stage != Friend::Stage::Declined)
    return reward_for(*found, {number, message.key, message.entry, message.hashes});
  if (found->in_review) found->held.push_back(number);
  if (rewards[number].is_one_up) return;  // who would be given it is not told of the review
  Offer offer;
  offer.referral = message.referral;
  offer.entry = message.entry;
  offer.key = key_of_held(message.key);
  offer.incentive = rewards[number].incentive;
  refuse_gift(Action::Give, offer, found->in_review ? Reason::Review : Reason::Declined);
}

// A friend of his has brought somebody who is worth something to him too.
void Turn::take_reward_above(const Message& message) {
  const auto& rewards = referral(message.referral).rewards;
  const auto number = static_cast<std::size_t>(message.amount);
  Friend* const found = friend_of(holdings(), message.referral, message.from);
  if (!found || found->stage == Friend::Stage::ClawedBack || number >= rewards.size() ||
      !rewards[number].is_one_up)
    return;
  Offer offer;
  offer.referral = message.referral;
  offer.entry = message.entry;
  offer.key = message.key;
  offer.incentive = rewards[number].incentive;
  // Nobody is rewarded for having been brought.
  if (is_called(state_, message.code)) return refuse_gift(Action::Give, offer, Reason::Cycle);
  if (is_same(message.referral, message.hashes))
    return refuse_gift(Action::Give, offer, Reason::Same);
  auto& brought = found->brought;
  auto place = std::find_if(brought.begin(), brought.end(), [&](const FriendOfFriend& each) {
    return each.invitee == message.code || each.entry == message.entry;
  });
  if (place == brought.end()) {
    FriendOfFriend made;
    made.invitee = message.code;
    place = brought.insert(brought.end(), std::move(made));
  }
  place->entry = message.entry;
  if (place->clawed_back || has(place->rewards, offer.key)) return;
  if (found->in_review || found->stage == Friend::Stage::Declined) {
    offer.key = key_of_held(offer.key);
    if (!found->in_review) return refuse_gift(Action::Give, offer, Reason::Declined);
    place->held.push_back(number);
    return refuse_gift(Action::Give, offer, Reason::Review);
  }
  place->rewards.push_back(offer.key);
  reward_for_friend(offer, rewards[number], place->was_rewarded);
}

// --- Taken back ----------------------------------------------------------------------------------

void Turn::take_claw_back(const Message& message) {
  Friend* found = friend_of(holdings(), message.referral, message.from);
  if (!found || found->stage == Friend::Stage::ClawedBack) return;
  found->stage = Friend::Stage::ClawedBack;
  if (std::exchange(found->in_review, false))
    accounts_->reviewed(message.referral, state_.id, found->invitee);
  found->held.clear();
  if (found->has_counted) accounts_->count(message.referral, books::Tally::ClawedBack);
  if (!found->above.empty()) {
    Message above =
        message_to(found->above, Message::Kind::ClawBackAbove, message.referral, message.key);
    above.code = found->invitee;
    accounts_->send(std::move(above));
  }
  const List<Hash128> rewards = found->rewards;
  for (const Hash128 key : rewards) claw_back(key);
  grants_changed(message.key);
}

void Turn::take_claw_back_above(const Message& message) {
  Friend* const found = friend_of(holdings(), message.referral, message.from);
  if (!found) return;
  for (FriendOfFriend& each : found->brought) {
    if ((each.invitee != message.code && each.entry != message.key) || each.clawed_back) continue;
    each.clawed_back = true;
    each.held.clear();
    const List<Hash128> rewards = each.rewards;
    for (const Hash128 key : rewards) claw_back(key);
    return grants_changed(message.key);
  }
}

// Takes a reward back, as far as it is still there: points never go below zero. What could be taken
// goes back to its budget. What he has had (money that was paid out, a coupon that was redeemed)
// is gone: it is on record as clawed back and counts against the budget still. So does a packet
// that he was sent and has not opened: who pays it out may give it to him yet. With a draw goes the
// prize that it gave.
void Turn::claw_back(Hash128 key) {
  using ledger::Stage;
  auto& grants = holdings().grants;
  const auto place = std::find_if(grants.begin(), grants.end(),
                                  [&](const Grant& each) { return each.key == key; });
  if (place == grants.end()) return;
  Grant& grant = *place;
  const plan::Incentive& incentive = plan_.incentives[grant.incentive.index()];
  std::int64_t amount = grant.amount;
  bool is_there = grant.stage == Stage::Given;
  if (!grant.shares.empty()) {
    if (!is_there) return;  // what friends have taken is theirs
    amount = charge_rest(grant);
  } else if (const auto* points = std::get_if<plan::Points>(&incentive.what)) {
    if (!is_there) return;
    Purse& purse = purse_of(grant.incentive);
    amount = ledger::take_back(purse.lots, lot_of(grant, *points), now_);
    note_moved(purse, Moved::What::ClawedBack, amount);
    for (Charge& charge : grant.charges)
      charge.amount =
          charge.is_money ? checked_multiply(amount, points->worth).value_or(0) : amount;
  } else if (is_there || grant.stage == Stage::Claimed) {
    is_there = is_there && std::holds_alternative<plan::Coupon>(incentive.what);
  } else {
    return;
  }
  move(grant, grant.stage, Stage::ClawedBack);
  if (is_there) {
    // A code that was issued was issued.
    if (std::holds_alternative<plan::Coupon>(incentive.what))
      for (Charge& charge : grant.charges)
        if (!charge.is_money) charge.amount = 0;
    move(grant, Stage::ClawedBack, Stage::Returned);
  }
  grant.stage = Stage::ClawedBack;
  Offer offer;
  offer.referral = grant.referral;
  offer.campaign = grant.campaign;
  offer.incentive = grant.incentive;
  offer.entry = grant.entry;
  offer.key = HashInput().text("claw back").number(key.high).number(key.low).hash128(plan_.seed);
  const bool is_draw = std::holds_alternative<plan::PrizeDraw>(incentive.what);
  const bool is_points = std::holds_alternative<plan::Points>(incentive.what);
  Effect& effect = gift_effect(Action::ClawBack, offer);
  if (is_draw)
    claw_back(key_of_drawn(key));
  else
    effect.gift->amount = is_points ? Value::integer(amount) : Value::money(amount);
}

// Was it for a friendship that does not count any more?
bool Turn::is_revoked(const Grant& grant) {
  if (grant.referral.is_none()) return false;
  const auto is_among = [&](const List<Hash128>& rewards) {
    return std::any_of(rewards.begin(), rewards.end(), [&](Hash128 each) {
      return each == grant.key || key_of_drawn(each) == grant.key;
    });
  };
  const Holdings& mine = holdings();
  return std::any_of(mine.bindings.begin(), mine.bindings.end(),
                     [&](const Binding& each) {
                       return (each.clawed_back && is_among(each.rewards)) ||
                              has(each.rewards, key_of_given_up(grant.key));
                     }) ||
         std::any_of(mine.friends.begin(), mine.friends.end(), [&](const Friend& each) {
           if (each.stage == Friend::Stage::ClawedBack && is_among(each.rewards)) return true;
           if (has(each.rewards, key_of_given_up(grant.key))) return true;
           return std::any_of(each.brought.begin(), each.brought.end(),
                              [&](const FriendOfFriend& below) {
                                return (below.clawed_back && is_among(below.rewards)) ||
                                       has(below.rewards, key_of_given_up(grant.key));
                              });
         });
}

// A campaign gives something to whoever brought its customer.
// False: nobody brought him.
bool Turn::give_to_inviter(const Offer& offer) {
  const Binding* found = nullptr;
  if (!state_.holdings.empty())
    for (const Binding& each : holdings().bindings)
      if (each.is_settled && (!found || each.at >= found->at)) found = &each;
  const auto refuse = [&](Reason reason) {
    refuse_gift(Action::Give, offer, reason);
    return false;
  };
  if (!found) return refuse(Reason::NoInviter);
  // Where those who brought each other thank each other, that has an end.
  if (hops_ >= hops_at_most) return refuse(Reason::Cycle);
  Message message = message_to(found->inviter, Message::Kind::Reward, {}, offer.key);
  message.incentive = offer.incentive;
  message.campaign = offer.campaign;
  message.entry = offer.entry;
  message.amount = offer.points;
  message.what_is_left = offer.what_is_left;
  accounts_->send(std::move(message));
  return true;
}

// Somebody has looked at a friend who was held for review. What was refused until then is given, or
// will never be.
Answer Turn::review(const Call& call, Hash128 key) {
  Answer answer;
  Friend* found =
      state_.holdings.empty() ? nullptr : friend_of(holdings(), call.referral, call.invitee);
  if (!found || !found->in_review) {
    answer.reason = Reason::NotInReview;
    return answer;
  }
  const List<std::uint64_t> held = std::exchange(found->held, {});
  const bool has_qualified = found->stage == Friend::Stage::InReview;
  found->in_review = false;
  accounts_->reviewed(call.referral, state_.id, found->invitee);
  if (call.kind == Call::Kind::Decline) {
    found->stage = Friend::Stage::Declined;
    return answer;
  }
  const auto& rewards = referral(call.referral).rewards;
  const auto reward_key = [&](const std::string& invitee, std::uint64_t number) {
    return offer_of(call.referral, key, invitee, "reward", number).key;
  };
  for (const std::uint64_t number : held)
    if (number < rewards.size())  // else the rules are others by now
      reward_for(*found, {number, reward_key(found->invitee, number), key, {}});
  for (FriendOfFriend& each : found->brought) {
    const List<std::uint64_t> waited = std::exchange(each.held, {});
    for (const std::uint64_t number : waited) {
      if (number >= rewards.size()) continue;
      Offer offer;
      offer.referral = call.referral;
      offer.entry = each.entry;
      offer.key = reward_key(each.invitee, number);
      each.rewards.push_back(offer.key);
      reward_for_friend(offer, rewards[number], each.was_rewarded);
    }
  }
  if (has_qualified) qualify_friend(*found, key, {});
  return answer;
}

}  // namespace koi::core
