// What one customer may be given by a campaign or a referral, counted as one budget counts it: on
// the dearest way through the steps, and by coming back. Only what can be: each amount is that of
// a way that can be gone, cut to what limits let one customer have in the budget's time.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "check/program.h"

namespace koi::check {

enum class Whose : std::uint8_t { Customers, Inviters, InvitersInviters };

// Something of an incentive: given by itself, or won in a draw.
struct Gain {
  IncentiveId incentive;
  Whose whose = Whose::Customers;
  IncentiveId draw{};  // none: given by itself
  friend auto operator<=>(const Gain&, const Gain&) = default;
};
// How much of each: minor units or pieces, as the budget counts. INT64_MAX: nobody knows.
using Given = std::map<Gain, std::int64_t>;

// Counts as one budget does: money or pieces, of everything or of one incentive, within its time.
class Account {
 public:
  // The program outlives it. `only`: of that one; none: of all.
  Account(const Program& program, const Budget& budget, IncentiveId only);

  // What such a gift is: one for each prize of a draw.
  std::vector<Given> gives(const Gift& gift, Whose whose) const;
  // The most of it that limits let one person have. Nothing: they do not say.
  std::optional<std::int64_t> most_of(const Gain& gain) const;
  // What limits let one person have at one instant, however far apart their periods are.
  std::optional<std::int64_t> at_once(const Gain& gain) const;
  // Where there is always another, each of `amount`: all that limits let one have; where they do
  // not say, what is known of it.
  std::int64_t again_and_again(const Gain& gain, std::int64_t amount) const;
  // What limits let each of them have of it; those of draws are with the others.
  Given let(const Given& given) const;
  std::int64_t total(const Given& given) const;  // of what they let
  const Per& within() const { return within_; }

 private:
  std::int64_t counted(IncentiveId incentive, std::optional<std::int64_t> pieces) const;
  // Of one draw of it.
  std::int64_t prize(const Gain& gain) const;
  std::optional<std::int64_t> stock(const Gain& gain) const;
  std::optional<std::int64_t> limited(IncentiveId incentive) const;
  void draw_no_more(Given& given) const;
  void hold_to_policy(Given& given) const;

  const Program& program_;
  bool in_money_;
  Per within_;
  IncentiveId only_;
};

void add(Given& to, const Given& given, std::int64_t times = 1);
std::int64_t sum(const Given& given);

// What the dearest way through the campaign gives within the account's time. `comes_back`: and of
// the ways behind it, as soon as the customer can enter again.
Given dearest(const Campaign& campaign, const Account& account, bool comes_back);

// What comes again with every event, as nothing limits it: neither its limits nor the time that a
// journey takes, nor how often one may enter.
std::set<Gain> endless(const Campaign& campaign, const Program& program);

// What one inviter is given for his friends within the account's time, as far as limits say it;
// where they do not, for one friend. All milestones are reached that can be.
Given of_inviter(const Referral& referral, const Account& account);
// What one friend costs who is brought: his own rewards, the inviter's, and the one's above.
Given of_friend(const Referral& referral, const Account& account);

}  // namespace koi::check
