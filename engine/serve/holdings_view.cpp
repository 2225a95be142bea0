#include "serve/holdings_view.h"

#include <algorithm>

#include "core/accounts.h"
#include "net/message.h"
#include "serve/json_writer.h"

namespace koi::serve {

namespace {

using core::Friend;
using core::Grant;
using core::Holdings;
using ledger::Stage;

const Holdings& holdings_of(const core::State& state) {
  static const Holdings none;
  return state.holdings.empty() ? none : state.holdings[0];
}

// As a customer would say it.
std::string_view state_of(const plan::Plan& plan, const Grant& grant, Timestamp now) {
  const auto& what = plan.incentives[grant.incentive.index()].what;
  const bool is_coupon = std::holds_alternative<plan::Coupon>(what);
  switch (grant.stage) {
    case Stage::Budget:
    case Stage::Reserved: return "under_way";
    case Stage::Given:
      if (is_coupon && core::is_locked(grant, now)) return "locked";
      if (core::last_of(grant) < now) return "lapsed";
      return is_coupon ? "good" : "waiting";
    case Stage::Claimed:
      if (is_coupon) return "redeemed";
      return std::holds_alternative<plan::PrizeDraw>(what) ? "won" : "claimed";
    case Stage::Lapsed:
    case Stage::Returned: return "lapsed";
    case Stage::ClawedBack: return "clawed_back";
    case Stage::Transit: break;  // that is not his any more
  }
  return "waiting";
}

std::string_view kind_of(const plan::Incentive& incentive) {
  if (std::holds_alternative<plan::RedPacket>(incentive.what)) return "red_packet";
  if (std::holds_alternative<plan::Coupon>(incentive.what)) return "coupon";
  return std::holds_alternative<plan::Points>(incentive.what) ? "points" : "prize_draw";
}

std::string_view name_of(Friend::Stage stage) {
  switch (stage) {
    case Friend::Stage::Joined: return "joined";
    case Friend::Stage::InReview: return "in_review";
    case Friend::Stage::Qualified: return "qualified";
    case Friend::Stage::Declined: return "declined";
    case Friend::Stage::ClawedBack: return "clawed_back";
  }
  return "joined";
}

std::string_view name_of(core::Moved::What what) {
  using What = core::Moved::What;
  switch (what) {
    case What::Earned: return "earned";
    case What::Spent: return "spent";
    case What::Lapsed: return "lapsed";
    case What::ClawedBack: return "clawed_back";
    case What::GivenBack: return "given_back";
  }
  KOI_ASSERT(false);
}

void write_grant(JsonWriter& out, const plan::Plan& plan, const Grant& grant, Timestamp now) {
  const plan::Incentive& incentive = plan.incentives[grant.incentive.index()];
  out.open('{');
  out.key("incentive"), out.text(incentive.symbol.name);
  out.key("kind"), out.text(kind_of(incentive));
  out.key("state"), out.text(state_of(plan, grant, now));
  if (!std::holds_alternative<plan::PrizeDraw>(incentive.what))
    out.key("amount"), out.money(grant.amount);
  if (!grant.code.empty()) out.key("code"), out.text(grant.code);
  if (!grant.prize.empty()) out.key("prize"), out.text(grant.prize);
  out.key("given"), out.time(grant.at);
  out.key("until"), out.time(grant.until);
  const bool is_locked = grant.stage == Stage::Given && core::is_locked(grant, now);
  if (is_locked) out.key("locked_until"), out.time(grant.locked_until);
  if (!grant.order.empty() && (is_locked || grant.stage == Stage::Claimed))
    out.key("order"), out.text(grant.order);
  if (!grant.shares.empty()) {
    out.key("shares"), out.raw(std::to_string(grant.shares.size()));
    out.key("taken"), out.raw(std::to_string(grant.taken));
  }
  out.close('}');
}

void write_friend(JsonWriter& out, const Friend& brought) {
  out.key("id"), out.text(brought.invitee);
  out.key("since"), out.time(brought.at);
  out.key("stage"), out.text(brought.in_review ? "in_review" : name_of(brought.stage));
}

}  // namespace

std::string points_view(const plan::Plan& plan, const core::State& state, Timestamp now) {
  now = std::max(now, state.clock);
  JsonWriter out(plan);
  out.open('{');
  out.key("points"), out.open('[');
  for (std::size_t i = 0; i < plan.incentives.size(); ++i) {
    if (!std::holds_alternative<plan::Points>(plan.incentives[i].what)) continue;
    out.open('{');
    out.key("name"), out.text(plan.incentives[i].symbol.name);
    const auto& purses = holdings_of(state).purses;
    const auto purse = std::find_if(purses.begin(), purses.end(), [&](const core::Purse& each) {
      return each.points == plan::IncentiveId::of(i);
    });
    const bool has = purse != purses.end();
    out.key("balance"), out.raw(std::to_string(has ? ledger::balance(purse->lots, now) : 0));
    if (const std::int64_t pending = has ? ledger::pending(purse->lots, now) : 0; pending > 0)
      out.key("pending"), out.raw(std::to_string(pending));
    out.key("lots"), out.open('[');
    if (has)
      for (const ledger::Lot& lot : purse->lots) {
        if (lot.lapses < now) continue;
        out.open('{');
        out.key("points"), out.raw(std::to_string(lot.amount));
        out.key("until"), out.time(lot.lapses);
        if (lot.usable > now) out.key("usable_from"), out.time(lot.usable);
        out.close('}');
      }
    out.close(']');
    out.key("history"), out.open('[');
    if (has)
      for (const core::Moved& moved : purse->history) {
        out.open('{');
        out.key("time"), out.time(moved.at);
        out.key("what"), out.text(name_of(moved.what));
        out.key("points"), out.raw(std::to_string(moved.amount));
        out.close('}');
      }
    out.close(']');
    out.close('}');
  }
  out.close(']');
  out.close('}');
  return out.take() + "\n";
}

std::string incentives_view(const plan::Plan& plan, const core::State& state, Timestamp now) {
  now = std::max(now, state.clock);
  JsonWriter out(plan);
  out.open('{');
  out.key("incentives"), out.open('[');
  for (const Grant& grant : holdings_of(state).grants)
    if (!std::holds_alternative<plan::Points>(plan.incentives[grant.incentive.index()].what))
      write_grant(out, plan, grant, now);
  out.close(']');
  out.close('}');
  return out.take() + "\n";
}

std::vector<Friend> friends_of(const core::State& state, plan::ReferralId referral) {
  std::vector<Friend> friends;
  for (const Friend& each : holdings_of(state).friends)
    if (each.referral == referral) friends.push_back(each);
  return friends;
}

Result<std::vector<Friend>> friends_of(const core::State& state, plan::ReferralId referral,
                                       const FriendsAsked& asked) {
  std::vector<Friend> friends = friends_of(state, referral);
  if (!asked.after.empty()) {
    const auto before = std::find_if(friends.begin(), friends.end(), [&](const Friend& each) {
      return each.invitee == asked.after;
    });
    if (before == friends.end()) return Error{"after", "`after` is the id of one of his friends"};
    friends.erase(friends.begin(), before + 1);
  }
  if (friends.size() > asked.most)
    friends.erase(friends.begin() + static_cast<std::ptrdiff_t>(asked.most), friends.end());
  return friends;
}

std::string referral_view(const plan::Plan& plan, const core::State& state,
                          plan::ReferralId referral, const FriendsAsked& asked,
                          const Below* below) {
  const plan::Referral& rules = plan.referrals[referral.index()];
  const std::string code = core::invite_code(plan, referral, state.id);
  JsonWriter out(plan);
  out.open('{');
  out.key("referral"), out.text(rules.symbol.name);
  out.key("code"), out.text(code);
  if (!rules.link.empty()) {
    std::string link;
    for (std::size_t i = 0; i < rules.link.size(); ++i) link += (i > 0 ? code : "") + rules.link[i];
    out.key("link"), out.text(link);
  }
  out.key("scene"), out.text(std::string(core::scene_prefix) + code);
  for (const core::Binding& each : holdings_of(state).bindings)
    if (each.referral == referral && each.is_settled) {
      out.key("brought_by"), out.text(each.inviter);
      out.key("qualified"), out.time(each.qualified);
    }
  const std::vector<Friend> all = friends_of(state, referral);
  const auto qualified = std::count_if(all.begin(), all.end(), [](const Friend& each) {
    return each.stage == Friend::Stage::Qualified;
  });
  const auto told = friends_of(state, referral, asked);
  out.key("friends"), out.open('[');
  for (const Friend& each : told ? *told : std::vector<Friend>()) {
    out.open('{');
    write_friend(out, each);
    if (const auto his = below ? below->find(each.invitee) : Below::const_iterator();
        below && his != below->end()) {
      out.key("friends"), out.open('[');
      for (const Friend& brought : his->second) {
        out.open('{');
        write_friend(out, brought);
        out.close('}');
      }
      out.close(']');
    }
    out.close('}');
  }
  out.close(']');
  if (told && !told->empty() && told->back().invitee != all.back().invitee)
    out.key("more"),
        out.text(asked.address + "&after=" + net::percent_encoded(told->back().invitee));
  out.key("joined"), out.raw(std::to_string(all.size()));
  out.key("count"), out.raw(std::to_string(qualified));
  const plan::Referral::Milestone* next = nullptr;
  for (std::size_t i = 0; i < rules.milestones.size(); ++i)
    if (const plan::Referral::Milestone& each = rules.milestones[i];
        each.friends > qualified && (!next || each.friends < next->friends) &&
        !core::has_reached(plan, state, referral, i))
      next = &each;
  if (next) {
    out.key("next"), out.open('{');
    out.key("friends"), out.raw(std::to_string(next->friends));
    out.key("gives"), out.text(plan.incentives[next->incentive.index()].symbol.name);
    if (next->to_invitee) out.key("to"), out.text("invitee");
    out.close('}');
  }
  out.close('}');
  return out.take() + "\n";
}

}  // namespace koi::serve
