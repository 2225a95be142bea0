#include "check/ways.h"

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include "base/decimal.h"
#include "check/worst_case.h"

namespace koi::check {
namespace {

constexpr std::int64_t nobody_knows = INT64_MAX;
constexpr std::size_t most_ways = 48;       // the dearest are kept
constexpr std::size_t most_steps = 50'000;  // behind them a way goes no further

std::int64_t plus(std::int64_t a, std::int64_t b) {
  return checked_add(a, b).value_or(nobody_knows);
}
std::int64_t multiplied(std::int64_t a, std::int64_t b) {
  return checked_multiply(a, b).value_or(nobody_knows);
}

}  // namespace

void add(Given& to, const Given& given, std::int64_t often) {
  for (const auto& [gain, amount] : given) to[gain] = plus(to[gain], multiplied(amount, often));
}

std::int64_t sum(const Given& given) {
  std::int64_t all = 0;
  for (const auto& [gain, amount] : given) all = plus(all, amount);
  return all;
}

// --- Account -------------------------------------------------------------------------------------

Account::Account(const Program& program, const Budget& budget, IncentiveId only)
    : program_(program), in_money_(budget.is_money), within_(budget.per), only_(only) {}

std::int64_t Account::counted(IncentiveId incentive, std::optional<std::int64_t> pieces) const {
  if (only_ && incentive != only_) return 0;
  if (pieces && *pieces <= 0) return 0;
  if (!in_money_) return pieces.value_or(nobody_knows);
  const std::int64_t one = most_of_one(program_.incentives[incentive.index()]).value_or(0);
  return one == 0 ? 0 : multiplied(one, pieces.value_or(nobody_knows));
}

std::vector<Given> Account::gives(const Gift& gift, Whose whose) const {
  const Incentive& incentive = program_.incentives[gift.incentive.index()];
  std::vector<Given> all;
  const auto one = [&](const Gain& gain, std::int64_t amount) {
    Given given;
    if (amount > 0) given[gain] = amount;
    return given;
  };
  const auto* draw = std::get_if<PrizeDraw>(&incentive.what);
  if (draw == nullptr) {
    std::optional<std::int64_t> pieces = 1;
    if (gift.amount) {
      const bool is_known = program_[gift.amount].op == Op::Constant;
      pieces = is_known ? std::optional(program_[gift.amount].constant.raw()) : std::nullopt;
    }
    return {one({gift.incentive, whose, {}}, counted(gift.incentive, pieces))};
  }
  const Given tried = one({gift.incentive, whose, {}}, in_money_ ? 0 : counted(gift.incentive, 1));
  for (const PrizeDraw::Prize& each : draw->prizes) {
    if (each.gift.is_none()) continue;
    const Gain gain{each.gift, whose, gift.incentive};
    Given won = one(gain, counted(each.gift, std::max<std::int64_t>(1, each.points)));
    if (won.empty()) continue;
    add(won, tried);
    all.push_back(std::move(won));
  }
  if (all.empty()) all.push_back(tried);
  return all;
}

std::int64_t Account::prize(const Gain& gain) const {
  std::int64_t most = 0;
  const auto& draw = std::get<PrizeDraw>(program_.incentives[gain.draw.index()].what);
  for (const PrizeDraw::Prize& each : draw.prizes)
    if (each.gift == gain.incentive)
      most = std::max(most, counted(each.gift, std::max<std::int64_t>(1, each.points)));
  return most;
}

std::optional<std::int64_t> Account::stock(const Gain& gain) const {
  std::int64_t all = 0;
  const auto& draw = std::get<PrizeDraw>(program_.incentives[gain.draw.index()].what);
  for (const PrizeDraw::Prize& each : draw.prizes) {
    if (each.gift != gain.incentive) continue;
    if (!each.stock) return std::nullopt;
    all = plus(all, *each.stock);
  }
  return all;
}

std::optional<std::int64_t> Account::limited(IncentiveId incentive) const {
  const Incentive& of = program_.incentives[incentive.index()];
  return in_money_ ? worst_case_of_customer(program_, of, within_) : most_pieces(of, within_);
}

std::optional<std::int64_t> Account::most_of(const Gain& gain) const {
  const auto most = limited(gain.incentive);
  if (gain.draw.is_none()) return most;
  const Incentive& draw = program_.incentives[gain.draw.index()];
  const auto often = least(most_pieces(draw, within_), stock(gain));
  return often ? least(most, multiplied(prize(gain), *often)) : most;
}

std::optional<std::int64_t> Account::at_once(const Gain& gain) const {
  const auto is_counted = [](const Limit& each) { return each.by.is_none(); };
  const auto pieces = [&](IncentiveId id) -> std::optional<std::int64_t> {
    const Incentive& of = program_.incentives[id.index()];
    if (std::none_of(of.limits.begin(), of.limits.end(), is_counted)) return std::nullopt;
    return pieces_at_once(of);
  };
  const Incentive& of = program_.incentives[gain.incentive.index()];
  auto most = pieces(gain.incentive);
  if (in_money_) {
    if (most) most = multiplied(*most, most_of_one(of).value_or(0));
    auto let = policy_lets_have(program_, of, within_);
    const std::int64_t one = least_of_one(of).value_or(0);
    if (let && one > 0 && most_of_one(of) == one) let = *let - *let % one;
    most = least(most, let);
  }
  if (gain.draw.is_none()) return most;
  const auto often = least(pieces(gain.draw), stock(gain));
  return often ? least(most, multiplied(prize(gain), *often)) : most;
}

// Of a draw's prizes together no more than it lets one draw, the dearest first.
void Account::draw_no_more(Given& given) const {
  std::map<std::pair<IncentiveId, Whose>, std::vector<Gain>> won;
  for (const auto& [gain, amount] : given)
    if (gain.draw) won[{gain.draw, gain.whose}].push_back(gain);
  for (auto& [draw, gains] : won) {
    auto left = most_pieces(program_.incentives[draw.first.index()], within_);
    if (!left) continue;
    std::stable_sort(gains.begin(), gains.end(),
                     [&](const Gain& a, const Gain& b) { return prize(a) > prize(b); });
    for (const Gain& gain : gains) {
      const std::int64_t one = std::max<std::int64_t>(1, prize(gain));
      const std::int64_t often = std::min(*left, (given[gain] + one - 1) / one);
      given[gain] = std::min(given[gain], multiplied(one, often));
      *left -= often;
    }
  }
}

void Account::hold_to_policy(Given& given) const {
  std::map<Whose, std::int64_t> left;
  for (auto& [gain, amount] : given) {
    const Incentive& incentive = program_.incentives[gain.incentive.index()];
    const auto let = policy_bounds(program_, incentive, within_);
    if (!let) continue;
    std::int64_t& rest = left.emplace(gain.whose, *let).first->second;
    amount = std::min(amount, rest);
    rest -= amount;
  }
}

std::int64_t Account::again_and_again(const Gain& gain, std::int64_t amount) const {
  if (const auto most = most_of(gain)) return *most;
  return std::max(amount, at_once(gain).value_or(0));
}

Given Account::let(const Given& given) const {
  Given cut;
  for (const auto& [gain, amount] : given) {
    const std::int64_t let = std::min(amount, most_of(gain).value_or(nobody_knows));
    if (let != nobody_knows && let > 0) cut[gain] = let;
  }
  draw_no_more(cut);
  Given all;
  for (const auto& [gain, amount] : cut) add(all, {{Gain{gain.incentive, gain.whose, {}}, amount}});
  for (auto& [gain, amount] : all)
    amount = std::min(amount, limited(gain.incentive).value_or(nobody_knows));
  if (in_money_) hold_to_policy(all);
  return all;
}

std::int64_t Account::total(const Given& given) const { return sum(let(given)); }

// --- Referrals -----------------------------------------------------------------------------------

namespace {

// For how many friends one inviter is rewarded; where the limits have no end in that time, at once.
// Nothing: they do not say.
std::optional<std::int64_t> friends_within(const Referral& referral, const Per& within) {
  std::optional<std::int64_t> most;
  for (const Limit& limit : referral.limits)
    if (limit.by.is_none())
      most = least(most, multiplied(limit.amount, periods_within(limit.per, within).value_or(1)));
  return most;
}

Given dearest_of(const std::vector<Given>& all, const Account& account) {
  Given most;
  for (const Given& each : all)
    if (most.empty() || account.total(each) > account.total(most)) most = each;
  return most;
}

}  // namespace

Given of_inviter(const Referral& referral, const Account& account) {
  const auto friends = friends_within(referral, account.within());
  Given all;
  for (const Referral::Reward& reward : referral.rewards) {
    if (!reward.to_inviter) continue;
    Given given = dearest_of(account.gives(reward.gift, Whose::Customers), account);
    for (auto& [gain, amount] : given) {
      // Of those whom his friends bring there may be more than he has friends.
      if (friends && !reward.is_one_up)
        amount = multiplied(amount, *friends);
      else if (amount != nobody_knows || account.most_of(gain))
        amount = account.again_and_again(gain, amount);
    }
    add(all, given);
  }
  // Those milestones that are no more friends apart than he may bring in that time.
  Given best;
  for (const Referral::Milestone& first : referral.milestones) {
    Given reached;
    for (const Referral::Milestone& each : referral.milestones) {
      if (each.to_invitee || first.to_invitee || each.friends < first.friends ||
          (friends && each.friends - first.friends >= *friends))
        continue;
      add(reached, dearest_of(account.gives(each.gift, Whose::Customers), account));
    }
    if (account.total(reached) > account.total(best)) best = reached;
  }
  add(all, best);
  return all;
}

Given of_friend(const Referral& referral, const Account& account) {
  Given all;
  for (const Referral::Reward& reward : referral.rewards)
    add(all, dearest_of(account.gives(reward.gift, reward.is_one_up    ? Whose::InvitersInviters
                                                   : reward.to_inviter ? Whose::Inviters
                                                                       : Whose::Customers),
                        account));
  return all;
}

// --- Ways ----------------------------------------------------------------------------------------

namespace {

// What is given in some stretch of a way, on which time goes by no slower than it must.
struct Way {
  Duration start, now;            // of the stretch, since the first entry
  std::vector<Duration> began;    // the pass of each repetition around, the entry first
  std::optional<Duration> clock;  // the time of day, since a wait until one
  bool has_waited_until = false;
  Given given;

  Duration lasts() const { return now - start; }
};
using Ways = std::vector<Way>;

// Can whatever follows `b` follow `a`, and is no less given?
bool is_as_good(const Way& a, const Way& b, bool time_counts) {
  if (time_counts) {
    if (a.lasts() > b.lasts() || a.clock != b.clock || a.has_waited_until > b.has_waited_until)
      return false;
    for (std::size_t i = 0; i < a.began.size(); ++i)
      if (a.now - a.began[i] < b.now - b.began[i]) return false;
  }
  return std::all_of(b.given.begin(), b.given.end(), [&](const auto& each) {
    const auto found = a.given.find(each.first);
    return found != a.given.end() && found->second >= each.second;
  });
}

class Walk {
 public:
  explicit Walk(const Account& account) : account_(account) {
    if (account.within().kind != Per::Kind::Ever) length_ = longest(account.within());
  }

  Given through(const Campaign& campaign, bool comes_back) {
    Ways ways(1);
    ways.front().began.push_back({});
    const auto before_next = comes_back ? until_next(campaign) : std::nullopt;
    do {
      const Ways before = ways;
      ways = pass(campaign, ways);
      if (!before_next) break;
      for (Way& way : ways) enter_again(way, campaign, *before_next, before);
      keep_best(ways);
      if (is_same(before, ways)) break;
    } while (!ways.empty() && steps_ < most_steps);
    return best_;
  }
  const std::set<Gain>& endless() const { return endless_; }

 private:
  // The least time from one entry to the next. Nothing: there is no next.
  static std::optional<Duration> until_next(const Campaign& campaign) {
    const Enter& enter = campaign.enter;
    if (enter.key) return Duration{};  // there is another key
    if (enter.how == Enter::How::Once) return std::nullopt;
    Duration least = enter.how == Enter::How::Every ? shortest(enter.every) : Duration{};
    std::optional<Duration> by_clock;
    for (const TriggerGroup& group : campaign.groups)
      for (const Trigger& trigger : group.triggers) {
        const auto* on = std::get_if<OnSchedule>(&trigger.on);
        if (on == nullptr) return least;
        if (on->schedule.every == Schedule::Every::Once) continue;
        const Duration each = on->schedule.every == Schedule::Every::Day     ? days(1)
                              : on->schedule.every == Schedule::Every::Week  ? days(7)
                              : on->schedule.every == Schedule::Every::Month ? days(28)
                                                                             : days(365);
        by_clock = by_clock ? Duration{} : each;  // of two, one may follow at once
      }
    if (!by_clock) return std::nullopt;
    return std::max(least, *by_clock);
  }

  Ways pass(const Campaign& campaign, const Ways& from) {
    Ways all;
    for (const TriggerGroup& group : campaign.groups) {
      Ways ways = from;
      ended_.clear();
      through(group.steps, ways);
      all.insert(all.end(), ways.begin(), ways.end());
      all.insert(all.end(), ended_.begin(), ended_.end());
    }
    return all;
  }

  // Behind a pass that took no time, or where time has no end, there is always another: of what
  // limits bound, all is given in the end; of what nothing bounds, what one pass gives.
  void enter_again(Way& way, const Campaign& campaign, Duration before_next, const Ways& before) {
    const bool other_key = !campaign.enter.key.is_none();
    const Duration next =
        other_key ? way.began.front() : std::max(way.now, way.began.front() + before_next);
    if (next == way.began.front() || !length_) {
      for (auto& [gain, amount] : way.given) {
        amount = account_.again_and_again(gain, least_before(before, gain).value_or(amount));
        if (account_.most_of(gain)) continue;
        if (account_.at_once(gain))
          at_most_[gain] = amount;
        else
          endless_.insert(gain);
      }
      note(way);
    }
    if (!other_key) let_pass(way, next - way.now);
    way.began.front() = way.now;
  }

  // Nothing: it has not been given before.
  static std::optional<std::int64_t> least_before(const Ways& before, const Gain& gain) {
    std::optional<std::int64_t> had;
    for (const Way& each : before)
      if (const auto found = each.given.find(gain); found != each.given.end())
        had = least(had, found->second);
    return had;
  }

  // --- one step after another

  void through(const Block& block, Ways& ways) {
    for (const Step& step : block) {
      if (ways.empty()) return;
      steps_ += ways.size();
      if (steps_ >= most_steps) return;
      std::visit([&](const auto& what) { go(what, ways); }, step.what);
      keep_best(ways);
    }
  }
  void either(const Block& one, const Block& other, Ways& ways) {
    Ways others = ways;
    through(one, ways);
    through(other, others);
    ways.insert(ways.end(), others.begin(), others.end());
  }

  template <class Other>
  void go(const Other&, Ways&) {}  // nothing is given, and no time goes by
  void go(const Stop&, Ways& ways) {
    ended_.insert(ended_.end(), ways.begin(), ways.end());
    ways.clear();
  }
  void go(const Wait& wait, Ways& ways) { let_pass(ways, wait.span); }
  void go(const WaitUntil& wait, Ways& ways) {
    for (Way& way : ways) {
      const bool is_clock = wait.kind == WaitUntil::Kind::TimeOfDay;
      const Duration at{wait.time.us};
      if (is_clock && way.clock) {
        const Duration day = days(1);
        const std::int64_t left = (at.us - way.clock->us + day.us) % day.us;
        let_pass(way, left == 0 ? day : Duration{left});
      } else if (way.has_waited_until) {
        start_anew(way);  // how long it takes from one to the other is not known
      }
      way.clock = is_clock ? std::optional(at) : std::nullopt;
      way.has_waited_until = true;
    }
  }
  void go(const WaitFor& wait, Ways& ways) {
    Ways waited = ways;
    through(wait.then, ways);  // it may come at once
    let_pass(waited, wait.up_to);
    through(wait.otherwise, waited);
    ways.insert(ways.end(), waited.begin(), waited.end());
  }
  void go(const If& choice, Ways& ways) { either(choice.then, choice.otherwise, ways); }
  void go(const Take& take, Ways& ways) { either(take.then, take.otherwise, ways); }
  void go(const Split& split, Ways& ways) {
    Ways all;
    for (const Split::Arm& arm : split.arms) {
      Ways taken = ways;
      through(arm.steps, taken);
      all.insert(all.end(), taken.begin(), taken.end());
    }
    ways = std::move(all);
  }
  void go(const Give& give, Ways& ways) {
    Ways all;
    // What is left is never more than there is.
    if (give.what_is_left) {
      all = ways;
    } else {
      const Whose whose = give.to_inviter ? Whose::Inviters : Whose::Customers;
      for (const Given& given : account_.gives(give.gift, whose))
        for (const Way& way : ways) {
          all.push_back(way);
          add(all.back().given, given);
          note(all.back());
        }
    }
    if (give.has_otherwise) {
      through(give.otherwise, ways);
      all.insert(all.end(), ways.begin(), ways.end());
    }
    ways = std::move(all);
  }
  void go(const Repeat& repeat, Ways& ways) {
    for (Way& way : ways) way.began.push_back(way.now);
    const Ways ended = std::exchange(ended_, {});
    for (std::int64_t pass = 1;; ++pass) {
      const Ways before = ways;
      through(repeat.steps, ways);
      if (pass >= repeat.at_most || ways.empty() || steps_ >= most_steps) break;
      for (Way& way : ways) {
        const Duration next = way.began.back() + shortest(repeat.every);
        if (next > way.now) let_pass(way, next - way.now);
        way.began.back() = way.now;
      }
      keep_best(ways);
      if (is_same(before, ways)) break;
    }
    for (Way& way : ways) way.began.pop_back();
    for (Way& way : ended_) way.began.pop_back();
    ended_.insert(ended_.end(), ended.begin(), ended.end());
    keep_best(ended_);
  }

  // --- time

  void let_pass(Ways& ways, const Span& span) {
    Ways anew;
    for (Way& way : ways) {
      let_pass(way, shortest(span));
      if (span.months != 0) way.clock = std::nullopt;
      if (!length_) continue;
      anew.push_back(way);  // what follows may be dearer by itself
      start_anew(anew.back());
    }
    ways.insert(ways.end(), anew.begin(), anew.end());
  }
  void let_pass(Way& way, Duration duration) {
    way.now = way.now + duration;
    if (way.clock) way.clock = Duration{(way.clock->us + duration.us) % days(1).us};
    if (length_ && way.lasts() >= *length_) start_anew(way);
  }
  static void start_anew(Way& way) {
    way.start = way.now;
    way.given.clear();
    way.has_waited_until = way.clock.has_value();
  }

  // --- what is kept

  // Of what has no end nobody knows how much it is, once it has come again.
  void note(const Way& way) {
    Given given = way.given;
    for (const Gain& each : endless_) given.erase(each);
    for (auto& [gain, amount] : given)
      if (const auto most = at_most_.find(gain); most != at_most_.end())
        amount = std::min(amount, most->second);
    const std::int64_t all = account_.total(given);
    if (all <= most_) return;
    most_ = all;
    best_ = std::move(given);
  }

  bool is_as_good(const Way& a, const Way& b) const {
    return check::is_as_good(a, b, length_.has_value());
  }
  void keep_best(Ways& ways) const {
    if (ways.size() < 2) return;
    Ways kept;
    for (Way& way : ways) {
      const auto better = [&](const Way& each) { return is_as_good(each, way); };
      if (std::any_of(kept.begin(), kept.end(), better)) continue;
      kept.erase(std::remove_if(kept.begin(), kept.end(),
                                [&](const Way& each) { return is_as_good(way, each); }),
                 kept.end());
      kept.push_back(std::move(way));
    }
    if (kept.size() > most_ways) {
      std::vector<std::pair<std::int64_t, std::size_t>> order;
      for (std::size_t i = 0; i < kept.size(); ++i)
        order.emplace_back(-account_.total(kept[i].given), i);
      std::sort(order.begin(), order.end());
      Ways dearest;
      for (std::size_t i = 0; i < most_ways; ++i)
        dearest.push_back(std::move(kept[order[i].second]));
      kept = std::move(dearest);
    }
    ways = std::move(kept);
  }

  // The same, but for when: what follows is the same too.
  bool is_same(const Ways& a, const Ways& b) const {
    const auto all_in = [&](const Ways& some, const Ways& others) {
      return std::all_of(some.begin(), some.end(), [&](const Way& each) {
        return std::any_of(others.begin(), others.end(), [&](const Way& other) {
          return is_as_good(other, each) && is_as_good(each, other);
        });
      });
    };
    return a.size() == b.size() && all_in(a, b) && all_in(b, a);
  }

  const Account& account_;
  std::optional<Duration> length_;  // of the account's time; none: all of it
  Ways ended_;                      // by `stop`, in this pass
  std::set<Gain> endless_;          // what comes again at once, without limits
  Given at_most_;  // what limits that have no end in that time let one have at once
  Given best_;
  std::int64_t most_ = 0;
  std::size_t steps_ = 0;
};

}  // namespace

Given dearest(const Campaign& campaign, const Account& account, bool comes_back) {
  return Walk(account).through(campaign, comes_back);
}

std::set<Gain> endless(const Campaign& campaign, const Program& program) {
  // In any short time: what takes longer is not without end.
  const Account pieces(program, {{}, false, 0, {Per::Kind::Hour, {}}}, {});
  Walk walk(pieces);
  walk.through(campaign, true);
  return walk.endless();
}

}  // namespace koi::check
