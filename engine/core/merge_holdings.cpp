// Two customers are one person: what both were given, what counts against his limits, whom he
// brought and was brought by. The others learn his id by messages.
#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <utility>

#include "core/detail/turn.h"
#include "core/merge.h"

namespace koi::core {

using ledger::Stage;

namespace {

// What is not there yet, behind what is.
template <class Items, class Others>
void add_missing(Items& into, const Others& from) {
  for (const auto& each : from)
    if (!has(into, each)) into.push_back(each);
}

template <class Items>
void add_by_time(Items& into, Items from) {
  for (auto& each : from) into.push_back(std::move(each));
  std::stable_sort(into.begin(), into.end(),
                   [](const auto& a, const auto& b) { return a.at < b.at; });
}

void add_counted(List<Counted>& into, const List<Counted>& from) {
  for (const Counted& each : from) {
    const auto place =
        std::lower_bound(into.begin(), into.end(), each, [](const Counted& a, const Counted& b) {
          return std::pair(a.limit, a.at) < std::pair(b.limit, b.at);
        });
    if (place != into.end() && place->limit == each.limit && place->at == each.at)
      place->amount = checked_add(place->amount, each.amount).value_or(INT64_MAX);
    else
      into.insert(place, each);
  }
}

}  // namespace

// `known_since`: when he was first known, before he was the other one too.
void Turn::join_holdings(State& other, Timestamp known_since) {
  if (accounts_ == nullptr) return;
  introduce_as_well(other);
  if (other.holdings.empty() && state_.holdings.empty()) return;
  Holdings theirs = other.holdings.empty() ? Holdings{} : std::move(other.holdings[0]);
  Holdings& mine = holdings();
  add_by_time(mine.grants, std::move(theirs.grants));
  add_counted(mine.counted, theirs.counted);
  for (Purse& each : theirs.purses) {
    Purse& purse = purse_of(each.points);
    for (const ledger::Lot& lot : each.lots)
      // More than anybody can hold is lost, and the ledger says so.
      if (!ledger::earn(purse.lots, lot))
        accounts_->post({now_,
                         accounts_->pot(plan_.incentives[each.points.index()].budgets[0], now_),
                         Stage::Given, Stage::Lapsed, lot.amount, cause_of(input_.known)});
    add_by_time(purse.history, std::move(each.history));
    while (purse.history.size() > most_moved) purse.history.erase(purse.history.begin());
  }
  add_missing(mine.milestones, theirs.milestones);
  add_by_time(mine.answers, std::move(theirs.answers));
  add_by_time(mine.spent, std::move(theirs.spent));
  for (Share& each : theirs.shares) mine.shares.push_back(std::move(each));
  drop_existing(mine.bindings, state_.id, other.created);
  drop_existing(theirs.bindings, other.id, known_since);
  std::vector<std::int64_t> either_had;
  for (std::size_t i = 0; i < plan_.referrals.size(); ++i) {
    const auto id = plan::ReferralId::of(i);
    const auto brought = [&](const Holdings& whose) {
      return std::any_of(whose.friends.begin(), whose.friends.end(),
                         [&](const Friend& each) { return each.referral == id; });
    };
    if (brought(mine) && brought(theirs)) accounts_->count(id, books::Tally::MergedInviters);
    either_had.push_back(std::max(friends_who_count(mine, id), friends_who_count(theirs, id)));
  }
  join_friendships(theirs, other.id);
  drop_own_friendship();
  for (std::size_t i = 0; i < plan_.referrals.size(); ++i)
    reach_milestones_together(plan::ReferralId::of(i), either_had[i]);
  grants_changed(input_.known);
}

// Codes of either lead to the one who stays.
void Turn::introduce_as_well(const State& other) {
  std::vector<std::string> names{other.id};
  names.insert(names.end(), other.same.begin(), other.same.end());
  for (std::size_t i = 0; i < plan_.referrals.size(); ++i) {
    const auto id = plan::ReferralId::of(i);
    for (const std::string& name : names)
      if (const std::string code = invite_code(plan_, id, name); accounts_->find(code) != nullptr) {
        // The others of his names were merged before.
        if (name == other.id) accounts_->count(id, books::Tally::Merged);
        accounts_->lead(code, {state_.id, {}, id});
      }
  }
  if (other.holdings.empty()) return;
  for (const Grant& grant : other.holdings[0].grants)
    if (!grant.code.empty() && accounts_->find(grant.code) != nullptr)
      accounts_->lead(grant.code, {state_.id, grant.incentive, {}});
}

// --- Friends -------------------------------------------------------------------------------------

namespace {

// Of two who were brought, and have turned out to be one: the one who has done what counts, else
// the one of the touch that the referral goes by.
bool is_worth_more(const plan::Referral& rules, const Binding& one, const Binding& other) {
  if ((one.qualified == Timestamp::never()) != (other.qualified == Timestamp::never()))
    return one.qualified != Timestamp::never();
  return rules.first_touch ? one.at <= other.at : one.at >= other.at;
}

bool is_open(const Friend& each) {
  return each.stage == Friend::Stage::Joined || each.stage == Friend::Stage::InReview;
}

}  // namespace

// `name` is what the other was called until now.
void Turn::join_friendships(Holdings& theirs, const std::string& name) {
  Holdings& mine = holdings();
  std::set<std::string> known;  // who knew him by that name
  for (const Binding& each : theirs.bindings) known.insert(each.inviter);
  for (const Friend& each : theirs.friends) known.insert(each.invitee);

  for (Binding& brought : theirs.bindings) {
    const plan::Referral& rules = referral(brought.referral);
    const List<Hash128> given = brought.rewards;
    // Who was rewarded for it under the other name is not rewarded again.
    for (std::size_t i = 0; i < rules.rewards.size(); ++i)
      if (has(brought.rewards, offer_of(brought.referral, {}, name, "reward", i).key))
        brought.rewards.push_back(offer_of(brought.referral, {}, state_.id, "reward", i).key);
    const auto place =
        std::find_if(mine.bindings.begin(), mine.bindings.end(), [&](const Binding& each) {
          return each.referral == brought.referral && each.is_settled == brought.is_settled;
        });
    if (place == mine.bindings.end()) {
      const auto before = [](const Binding& a, const Binding& b) {
        return std::pair(a.referral, !a.is_settled) < std::pair(b.referral, !b.is_settled);
      };
      mine.bindings.insert(
          std::upper_bound(mine.bindings.begin(), mine.bindings.end(), brought, before),
          std::move(brought));
      continue;
    }
    const bool stays = is_worth_more(rules, *place, brought);
    Binding& lost = stays ? brought : *place;
    if (place->inviter != brought.inviter) {
      Message message = message_to(lost.inviter, Message::Kind::Apart, lost.referral, lost.key);
      message.code = stays ? name : state_.id;
      message.known_as = (stays ? *place : brought).inviter;
      accounts_->send(std::move(message));
    }
    const List<Hash128> rewards = lost.rewards;
    const bool is_other = place->inviter != brought.inviter;
    const List<Hash128> doubled =
        stays ? rewards_given_twice(brought.referral, given, place->rewards, is_other)
              : rewards_given_twice(brought.referral, place->rewards, given, is_other);
    if (!stays) *place = std::move(brought);
    add_missing(place->rewards, rewards);
    for (const Hash128 key : doubled) give_up(place->rewards, key);
  }

  for (Friend& each : theirs.friends) {
    if (each.in_review) {
      accounts_->reviewed(each.referral, name, each.invitee);
      accounts_->hold_for_review(each.referral, state_.id, each.invitee, each.at);
    }
    const auto before = [](const Friend& a, const Friend& b) {
      return std::tie(a.referral, a.at) < std::tie(b.referral, b.at);
    };
    mine.friends.insert(std::upper_bound(mine.friends.begin(), mine.friends.end(), each, before),
                        std::move(each));
  }
  unite_friends({});

  for (const std::string& each : known)
    if (!is_called(state_, each)) accounts_->send(renamed(each, input_.known));
}

// Which reward of the referral that key names, under any of the friend's names; nothing where it is
// a milestone's, or of a name that is not among them.
std::optional<std::size_t> Turn::reward_of(plan::ReferralId id, Hash128 key,
                                           const std::vector<std::string>& names) const {
  for (std::size_t i = 0; i < referral(id).rewards.size(); ++i)
    if (std::any_of(names.begin(), names.end(), [&](const std::string& name) {
          return offer_of(id, {}, name, "reward", i).key == key;
        }))
      return i;
  return std::nullopt;
}

// He was brought once, so he keeps each reward once. Of what the binding that is lost has given
// him: what the one that stays has given as well, and where another inviter has brought him, what
// he was given for a milestone of that one.
List<Hash128> Turn::rewards_given_twice(plan::ReferralId id, const List<Hash128>& lost,
                                        const List<Hash128>& kept, bool is_other_inviter) {
  List<Hash128> twice;
  if (referral(id).undone_by.empty()) return twice;
  std::vector<std::string> names{state_.id};
  names.insert(names.end(), state_.same.begin(), state_.same.end());
  std::set<std::size_t> has_been_given;
  for (const Grant& each : holdings().grants)
    if (each.stage != Stage::ClawedBack && has(kept, each.key))
      if (const auto number = reward_of(id, each.key, names)) has_been_given.insert(*number);
  for (const Hash128 key : lost) {
    if (has(kept, key)) continue;
    const auto number = reward_of(id, key, names);
    if (number ? has_been_given.contains(*number) : is_other_inviter) twice.push_back(key);
  }
  return twice;
}

// Two friends are one, and so the inviter keeps each reward for him once. Of `other`, what `kept`
// has as well: the same reward; and where its name is not known any more, what is more of an
// incentive than the referral gives for one friend.
List<Hash128> Turn::rewards_for_both(plan::ReferralId id, const List<Hash128>& kept,
                                     const List<Hash128>& other,
                                     const std::vector<std::string>& names) {
  List<Hash128> twice;
  if (referral(id).undone_by.empty()) return twice;
  std::set<std::size_t> known;
  std::map<plan::IncentiveId, std::ptrdiff_t> given;
  const auto take = [&](const Grant& grant) {
    const auto number = reward_of(id, grant.key, names);
    const auto& rewards = referral(id).rewards;
    const auto at_most = std::count_if(rewards.begin(), rewards.end(), [&](const auto& each) {
      return each.to_inviter && each.incentive == grant.incentive;
    });
    std::ptrdiff_t& of_it = given[grant.incentive];
    if (of_it >= at_most || (number && !known.insert(*number).second)) return false;
    ++of_it;
    return true;
  };
  for (const Grant& each : holdings().grants)
    if (each.stage != Stage::ClawedBack && has(kept, each.key)) take(each);
  for (const Grant& each : holdings().grants)
    if (each.stage != Stage::ClawedBack && has(other, each.key) && !has(kept, each.key) &&
        !take(each))
      twice.push_back(each.key);
  return twice;
}

// He does not keep that one of these rewards. What is still being paid is taken back when it has
// been.
void Turn::give_up(List<Hash128>& rewards, Hash128 key) {
  for (const Grant& each : holdings().grants)
    if (each.stage == Stage::Reserved && (each.key == key || each.key == key_of_drawn(key)))
      rewards.push_back(key_of_given_up(each.key));
  claw_back(key);
}

// Stands among rewards where one of them is not kept.
Hash128 Turn::key_of_given_up(Hash128 reward) const {
  return HashInput().text("given up").number(reward.high).number(reward.low).hash128(plan_.seed);
}

Message Turn::renamed(const std::string& to, Hash128 key) const {
  Message message = message_to(to, Message::Kind::Renamed, {}, key);
  message.hashes = hashes_of_others();
  return message;
}

// Whoever knows him by another name is told by which he is known.
void Turn::tell_name(const std::string& to, std::uint64_t known_as, Hash128 key) {
  if (known_as != hash_of_customer(state_.id) && !is_called(state_, to))
    accounts_->send(renamed(to, key));
}

// Whoever stands there twice stands there once: as the one who has counted, else as he came first.
// `names` are those that he had.
void Turn::unite_friends(std::vector<std::string> names) {
  auto& friends = holdings().friends;
  for (std::size_t i = 0; i < friends.size(); ++i)
    for (std::size_t k = i + 1; k < friends.size();) {
      if (friends[k].referral != friends[i].referral || friends[k].invitee != friends[i].invitee) {
        ++k;
        continue;
      }
      Friend one = std::move(friends[i]), other = std::move(friends[k]);
      friends.erase(friends.begin() + k);
      if (other.has_counted && !one.has_counted) std::swap(one, other);
      names.push_back(one.invitee);
      const List<Hash128> twice = rewards_for_both(one.referral, one.rewards, other.rewards, names);
      if (one.has_counted && other.has_counted && other.stage == Friend::Stage::Qualified &&
          !referral(one.referral).undone_by.empty())
        accounts_->count(one.referral, books::Tally::ClawedBack);
      one.was_rewarded = one.was_rewarded || other.was_rewarded;
      if (one.in_review != other.in_review && !one.in_review)
        accounts_->reviewed(one.referral, state_.id, one.invitee);
      add_missing(one.rewards, other.rewards);
      add_missing(one.names, other.names);
      if (one.in_review) add_missing(one.held, other.held);
      if (one.above.empty()) one.above = other.above;
      for (FriendOfFriend& each : other.brought) one.brought.push_back(std::move(each));
      for (const Hash128 key : twice) give_up(one.rewards, key);
      friends[i] = std::move(one);
    }
}

// The same of those whom a friend has brought.
void Turn::unite_brought(Friend& by, const std::vector<std::string>& names) {
  auto& brought = by.brought;
  for (std::size_t i = 0; i < brought.size(); ++i)
    for (std::size_t k = i + 1; k < brought.size();) {
      if (brought[k].invitee != brought[i].invitee) {
        ++k;
        continue;
      }
      const FriendOfFriend other = std::move(brought[k]);
      brought.erase(brought.begin() + static_cast<std::ptrdiff_t>(k));
      FriendOfFriend& one = brought[i];
      const List<Hash128> twice = rewards_for_both(by.referral, one.rewards, other.rewards, names);
      one.was_rewarded = one.was_rewarded || other.was_rewarded;
      one.clawed_back = one.clawed_back && other.clawed_back;
      add_missing(one.rewards, other.rewards);
      add_missing(one.held, other.held);
      for (const Hash128 key : twice) give_up(one.rewards, key);
    }
}

// A friend who counts for nothing: he is the inviter himself, or was brought by somebody else
// before.
void Turn::close(Friend& brought) {
  if (std::exchange(brought.in_review, false))
    accounts_->reviewed(brought.referral, state_.id, brought.invitee);
  brought.held.clear();
  if (is_open(brought)) {
    brought.stage = Friend::Stage::Declined;
    return;
  }
  if (brought.stage != Friend::Stage::Qualified || referral(brought.referral).undone_by.empty())
    return;
  brought.stage = Friend::Stage::ClawedBack;
  if (brought.has_counted) accounts_->count(brought.referral, books::Tally::ClawedBack);
  if (!brought.above.empty()) {
    Message above =
        message_to(brought.above, Message::Kind::ClawBackAbove, brought.referral, input_.known);
    above.code = brought.invitee;
    accounts_->send(std::move(above));
  }
  const List<Hash128> rewards = brought.rewards;
  for (const Hash128 key : rewards) claw_back(key);
}

// He was brought as somebody new, under that name, and has turned out to be known before: as the
// one whom the other was. Where the referral refuses existing customers it would have refused him.
void Turn::drop_existing(List<Binding>& bindings, const std::string& name, Timestamp known_since) {
  const auto is_refused = [&](const Binding& each) {
    return referral(each.referral).refuses_existing && known_since < each.at && !each.clawed_back;
  };
  for (Binding& each : bindings) {
    if (!is_refused(each)) continue;
    refuse_join(each.referral, each.key, Reason::Existing);
    Message message = message_to(each.inviter, Message::Kind::Apart, each.referral, each.key);
    message.code = name;
    accounts_->send(std::move(message));
    each.clawed_back = true;
    const List<Hash128> rewards = each.rewards;
    if (!referral(each.referral).undone_by.empty())
      for (const Hash128 key : rewards) claw_back(key);
  }
  erase_if(bindings, [](const Binding& each) {
    return each.clawed_back && each.rewards.empty() && each.qualified == Timestamp::never();
  });
}

// Nobody brings himself, where the referral refuses that.
void Turn::drop_own_friendship() {
  Holdings& mine = holdings();
  const auto refuses = [&](plan::ReferralId id) {
    return referral(id).refuses_self || !referral(id).refuses_same.empty();
  };
  for (Friend& each : mine.friends) {
    if (is_called(state_, each.invitee)) {
      if (refuses(each.referral)) {
        close(each);
      } else {
        each.invitee = state_.id;
        add_missing(each.names, hashes_of_others());
      }
    }
    for (FriendOfFriend& below : each.brought) {
      if (!is_called(state_, below.invitee) || below.clawed_back || !refuses(each.referral))
        continue;
      below.clawed_back = true;
      below.held.clear();
      const List<Hash128> rewards = below.rewards;
      if (!referral(each.referral).undone_by.empty())
        for (const Hash128 key : rewards) claw_back(key);
    }
  }
  for (Binding& each : mine.bindings) {
    if (!is_called(state_, each.inviter)) continue;
    each.inviter = state_.id;
    if (!refuses(each.referral) || each.clawed_back) continue;
    each.clawed_back = true;
    const List<Hash128> rewards = each.rewards;
    if (!referral(each.referral).undone_by.empty())
      for (const Hash128 key : rewards) claw_back(key);
  }
  // Who has done nothing for it may still be brought by another.
  erase_if(mine.bindings, [&](const Binding& each) {
    return each.inviter == state_.id && each.clawed_back && each.rewards.empty() &&
           each.qualified == Timestamp::never();
  });
}

// --- The other side ------------------------------------------------------------------------------

// Somebody he has brought, or was brought by, is called otherwise from now on. Letters of groups
// that he has come through overtake one another; whoever is known by a name that is none of those
// before has come further already.
void Turn::take_renamed(const Message& message) {
  if (state_.holdings.empty()) return;
  Holdings& mine = holdings();
  const auto is_before = [&](const std::string& name) {
    return has(message.hashes, hash_of_customer(name));
  };
  bool is_news = false;
  std::vector<std::string> names{message.from};
  for (Friend& each : mine.friends) {
    if (is_before(each.above)) each.above = message.from;
    for (FriendOfFriend& below : each.brought)
      if (is_before(below.invitee)) names.push_back(std::exchange(below.invitee, message.from));
    unite_brought(each, names);
    if (each.invitee != message.from && !is_before(each.invitee)) continue;
    add_missing(each.names, message.hashes);
    const std::string before = std::exchange(each.invitee, message.from);
    if (before == message.from) continue;
    names.push_back(before);
    is_news = true;
    if (each.in_review) {
      accounts_->reviewed(each.referral, state_.id, before);
      accounts_->hold_for_review(each.referral, state_.id, message.from, each.at);
    }
    if (each.above.empty()) continue;
    Message above = message_to(each.above, Message::Kind::RenamedAbove, each.referral, message.key);
    above.code = before;
    above.known_as = message.from;
    above.hashes = message.hashes;
    accounts_->send(std::move(above));
  }
  unite_friends(std::move(names));
  for (Binding& each : mine.bindings) {
    if (is_before(each.inviter)) {
      each.inviter = message.from;
      is_news = true;
    }
    for (std::uint64_t& ancestor : each.ancestors)
      if (has(message.hashes, ancestor)) ancestor = hash_of_customer(message.from);
  }
  grants_changed(message.key);
  // What he writes to that name from here on may come before what he wrote to the one before, and
  // so before whom he has become.
  if (is_news && !state_.same.empty()) accounts_->send(renamed(message.from, message.key));
}

// The one whom a friend has brought is called otherwise.
void Turn::take_renamed_above(const Message& message) {
  if (state_.holdings.empty()) return;
  for (Friend& each : holdings().friends) {
    if (each.referral != message.referral || !goes_by(each, message.from)) continue;
    for (FriendOfFriend& below : each.brought)
      if (below.invitee == message.code || has(message.hashes, hash_of_customer(below.invitee)))
        below.invitee = message.known_as;
    unite_brought(each, {message.code, message.known_as});
  }
  grants_changed(message.key);
}

void Turn::take_apart(const Message& message) {
  // The other inviter has turned out to be he himself, which the friend did not know.
  if (state_.holdings.empty() || is_called(state_, message.known_as)) return;
  for (Friend& each : holdings().friends)
    if (each.referral == message.referral && each.invitee == message.code) close(each);
  grants_changed(message.key);
}

// Of the names that he had before, for those who know him by one of them.
std::vector<std::uint64_t> Turn::hashes_of_others() const {
  std::vector<std::uint64_t> hashes;
  for (const std::string& each : state_.same) hashes.push_back(hash_of_customer(each));
  return hashes;
}

}  // namespace koi::core
