#include "money.h"

#include <algorithm>
#include <deque>
#include <map>
#include <set>
#include <utility>

#include "core/books.h"
#include "durable/rows.h"

namespace koi::simulator {

namespace books = core::books;
using core::Call;
using core::Reason;

namespace {

using Balances = std::map<ledger::Pot, ledger::Balances>;

// Of one group.
Balances check_books(const std::map<std::string, std::string>& shared, Record& record) {
  ledger::Ledger again;
  Balances balances;
  for (const auto& [key, bytes] : shared) {
    if (durable::is_row(key)) continue;
    const auto entry = books::read(key, bytes);
    if (!entry) {
      record.breach("the accounts: " + entry.error().what);
      return balances;
    }
    if (const auto* balance = std::get_if<books::Balance>(&*entry))
      balances.emplace(balance->pot, balance->balances);
    if (const auto* posted = std::get_if<books::Posted>(&*entry))
      if (const auto done = again.post(posted->posting); !done)
        record.breach("a posting: " + done.error().what);
  }
  if (const auto same = ledger::compare(again, balances); !same)
    record.breach("the postings: " + same.error().what);
  for (const auto& [pot, of] : balances)
    if (of.sum() != 0) record.breach("the stages of an account do not sum to zero");
  return balances;
}

// Over all groups together.
void check_budgets(const plan::Plan& plan, const Replay& replay, Record& record) {
  std::map<ledger::Pot, std::int64_t> out;
  for (const auto& shared : replay.shared)
    for (const auto& [pot, of] : check_books(shared, record)) out[pot] += of.out();
  for (const auto& [pot, amount] : out)
    for (const plan::Budget& budget : plan.budgets)
      if (budget.definition == pot.of && amount > budget.amount)
        record.breach("beyond the budget `" + budget.name + "`: " + std::to_string(amount));
}

// What the store has where it has all of the journal. A letter is on its way until whoever it is
// for says so, which no journal does.
void check_stored(const Replay& replay, const store::Store& store, store::Group group,
                  Record& record) {
  const auto position = store.position(group);
  if (!position || *position != replay.ends[group]) return;
  const auto rows = store.shared_behind(group, "", SIZE_MAX / 2);
  if (!rows) return record.breach("the accounts cannot be read: " + rows.error().what);
  std::map<std::string, std::string> stored;
  for (const store::Shared& each : *rows)
    if (!each.key.starts_with(">l")) stored[each.key] = each.bytes;
  if (stored != replay.shared[group])
    record.breach("what group " + std::to_string(group) + " has stored is not the journal's");
}

void check_shares(const core::State& state, Record& record) {
  if (state.holdings.empty()) return;
  for (const core::Grant& grant : state.holdings[0].grants) {
    if (grant.shares.empty()) continue;
    const std::set<std::uint64_t> friends(grant.claimants.begin(), grant.claimants.end());
    std::int64_t sum = 0;
    for (const std::int64_t share : grant.shares) sum += share;
    if (friends.size() != grant.claimants.size() || friends.size() != grant.taken)
      record.breach("a share of a packet of " + state.id + " was taken twice");
    if (sum != grant.amount) record.breach("the shares of " + state.id + " are not his packet");
  }
}

}  // namespace

void check_money(const plan::Plan& plan, const Replay& replay, const store::Store& store,
                 Record& record) {
  check_budgets(plan, replay, record);
  for (const auto& [id, state] : replay.customers) check_shares(state, record);
  for (const plan::Incentive& incentive : plan.incentives)
    for (const plan::LimitId id : incentive.limits) {
      const plan::Limit& limit = plan.limits[id.index()];
      if (limit.by || limit.is_money || limit.per.kind != plan::Per::Kind::Ever) continue;
      for (const auto& [what, times] : replay.gifts)
        if (what.first == incentive.symbol.name && times > limit.amount)
          record.breach(what.second + " was given `" + what.first + "` beyond its limit");
    }
  for (std::size_t group = 0; group < replay.ends.size(); ++group)
    check_stored(replay, store, static_cast<store::Group>(group), record);
}

// --- Pools --------------------------------------------------------------------------------------

namespace {
// Each code is given once, of those that were uploaded. In which order is their homes' affair.
void check_pools_of_groups(const Replay& replay, Record& record) {
  std::set<std::string> known, given;
  for (const Pooled& each : replay.pooled) {
    known.insert(each.uploaded.begin(), each.uploaded.end());
    if (each.given.empty()) continue;
    if (!given.insert(each.given).second) record.breach(each.given + " is given twice");
    if (!known.contains(each.given)) record.breach(each.given + " was never uploaded");
  }
}
}  // namespace

void check_pools(const plan::Plan& plan, const Replay& replay, Record& record) {
  const plan::Coupon* coupon = nullptr;
  for (const plan::Incentive& each : plan.incentives)
    if (const auto* it = std::get_if<plan::Coupon>(&each.what); it && !it->pool.empty())
      coupon = it;
  if (!coupon) return;
  if (replay.shared.size() > 1) return check_pools_of_groups(replay, record);
  std::set<std::string> known;
  std::deque<std::string> left;
  std::map<std::string, std::uint64_t> told;
  std::uint64_t given = 0;
  for (const Pooled& each : replay.pooled) {
    for (const std::string& code : each.uploaded)
      if (known.insert(code).second) left.push_back(code);
    if (each.given.empty()) continue;
    ++given;
    if (left.empty() || left.front() != each.given)
      return record.breach(each.given + " is given to " + each.customer + ", and " +
                           (left.empty() ? "none is left" : left.front() + " is the next"));
    left.pop_front();
    if (std::cmp_equal(left.size(), coupon->low_at)) ++told[each.customer];
  }
  const auto number = [&](const std::string& key) -> std::uint64_t {
    const auto found = replay.shared[0].find(key);
    if (found == replay.shared[0].end()) return 0;
    const auto read = books::number_of(found->second);
    return read ? *read : UINT64_MAX;
  };
  if (number(books::key_of_stocked(coupon->pool)) != known.size() ||
      number(books::key_of_taken(coupon->pool)) != given)
    record.breach("the pool's count is another: " + std::to_string(known.size()) +
                  " were uploaded, and " + std::to_string(given) + " given");
  for (const auto& [who, times] : replay.entries) {
    if (who.first != "restock") continue;
    const auto expected = told.find(who.second);
    if (expected == told.end() || expected->second != times)
      record.breach(who.second + " was told too often that the pool runs low");
    else
      told.erase(expected);
  }
  for (const auto& [customer, times] : told)
    record.breach(customer + " was not told that the pool runs low");
}

// --- Calls --------------------------------------------------------------------------------------

namespace {

// An upload says by itself what it is.
std::string name_of(const Call& call) {
  if (call.kind != Call::Kind::Stock) return call.id.substr(0, call.id.find('#'));
  std::string codes;
  for (const std::string& each : call.together) codes += each + "\n";
  return codes;
}

bool is_done(const Called& called) {
  return called.answer && called.is_first && called.answer->reason == Reason::None;
}

void check_heard(const Replay& replay, const Tills& tills, Record& record) {
  std::map<std::string, std::set<std::string>> answers;
  for (const Called& each : replay.calls) {
    auto& of = answers[name_of(each.call)];
    if (each.answer) of.insert(in_words(*each.answer));
  }
  for (const Asking& asking : tills.asked()) {
    const bool is_upload = asking.path.starts_with("/v1/pools/");
    const auto found = answers.find(is_upload ? asking.body : asking.key);
    for (const std::string& words : asking.heard)
      if (found == answers.end())
        record.breach("what " + asking.key + " asked was answered and is not in the journal");
      else if (!found->second.contains(words))
        record.breach("what " + asking.key +
                      " asked was answered otherwise than decided: " + words);
  }
}

// Nobody asks for two things under one key, whatever becomes of whom it concerns.
void check_keys(const Replay& replay, Record& record) {
  for (const Called& each : replay.calls)
    if (each.answer && each.answer->reason == Reason::KeyReused)
      record.breach("what " + name_of(each.call) + " asked is taken for something else");
}

// What comes again under its key does nothing again, for as long as ids are remembered.
void check_once(const plan::Plan& plan, const Replay& replay, Record& record) {
  std::map<std::string, Timestamp> done;
  for (const Called& each : replay.calls) {
    if (each.call.kind == Call::Kind::Stock || !is_done(each)) continue;
    const auto [place, is_new] = done.try_emplace(name_of(each.call), each.at);
    if (!is_new && each.at - place->second <= plan.policy.id_horizon)
      record.breach("what " + name_of(each.call) + " asked was done twice");
    place->second = each.at;
  }
}

void check_orders(const Replay& replay, Record& record) {
  std::map<std::string, std::string> redeemed;  // by code: the order
  for (const Called& each : replay.calls) {
    if (!is_done(each)) continue;
    if (each.call.kind == Call::Kind::Redeem) {
      const auto [place, is_new] = redeemed.emplace(each.call.code, each.call.order);
      if (!is_new)
        record.breach("the orders " + place->second + " and " + each.call.order +
                      " have both redeemed " + each.call.code);
    } else if (each.call.kind == Call::Kind::RollBack) {
      redeemed.erase(each.call.code);
    }
  }
}

// Whoever has turned out to be another has what that one has, and has spent what he spent.
void check_points(const Replay& replay, Record& record) {
  std::map<std::string, std::int64_t> given;
  for (const auto& [customer, points] : replay.points) given[replay.whoever(customer)] += points;
  std::map<std::string, std::int64_t> spent;                           // by customer
  std::map<std::pair<std::string, std::string>, std::int64_t> orders;  // by customer and order
  for (const Called& each : replay.calls) {
    if (!is_done(each)) continue;
    const bool is_spent = each.call.kind == Call::Kind::Spend;
    if (!is_spent && each.call.kind != Call::Kind::Unspend) continue;
    std::int64_t& of_order = orders[{replay.whoever(each.call.customer), each.call.order}];
    if (each.answer->other < 0 || (is_spent && each.answer->amount != each.call.amount) ||
        (!is_spent && each.answer->amount > of_order))
      record.breach("the points of " + each.call.order + " are not those that were asked for");
    of_order = is_spent ? each.answer->amount : 0;
    spent[replay.whoever(each.call.customer)] +=
        is_spent ? each.answer->amount : -each.answer->amount;
  }
  for (const auto& [customer, points] : spent) {
    if (points > given[customer])
      record.breach(customer + " has spent points that nobody gave him");
  }
}

void check_reviews(const Replay& replay, Record& record) {
  std::set<std::pair<std::string, std::string>> waiting, looked_at;
  for (const auto& shared : replay.shared)
    for (const auto& [key, bytes] : shared)
      if (const auto review = books::review_of(key))
        waiting.emplace(review->inviter, review->invitee);
  for (const auto& [id, state] : replay.customers) {
    if (state.holdings.empty()) continue;
    for (const core::Friend& each : state.holdings[0].friends)
      if (each.in_review != (waiting.erase({id, each.invitee}) > 0))
        record.breach(each.invitee +
                      (each.in_review ? " waits and is not found" : " does not wait and is found") +
                      " for a review of " + id);
  }
  for (const auto& [inviter, invitee] : waiting)
    record.breach(inviter + " has not the friend " + invitee + " who waits for a review");
  for (const Called& each : replay.calls)
    if ((each.call.kind == Call::Kind::Approve || each.call.kind == Call::Kind::Decline) &&
        is_done(each) && !looked_at.emplace(each.call.customer, each.call.invitee).second)
      record.breach(each.call.invitee + " was looked at twice");
}

}  // namespace

void check_tills(const plan::Plan& plan, const Replay& replay, const Tills& tills, Record& record) {
  check_heard(replay, tills, record);
  check_keys(replay, record);
  check_once(plan, replay, record);
  check_orders(replay, record);
  check_points(replay, record);
  check_reviews(replay, record);
}

}  // namespace koi::simulator
