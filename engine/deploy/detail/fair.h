// Fair: for this module's tests of what customers share, the rules that they live under. Friends
// bring friends, packets are shared, codes run out, devices are shared, and a budget is never
// enough.
#pragma once

#include <cstdint>
#include <string>

namespace koi::deploy {

// The ids of its rules, where a test opens writers by hand.
constexpr std::uint64_t fair_rules = 77;

// `without_rain` is what a customer who grabs is given when the coupons of the day are gone; `more`
// is put behind it all.
inline std::string fair(const std::string& without_rain = "give 1 stars",
                        const std::string& more = {}) {
  return R"(policy { time zone "Asia/Shanghai"  currency CNY  lateness 1 hour
  limit ¥80.00 per customer per month }
customer { identify by openid  device: text?
  on register set device = register.device }
event register { openid: text?  device: text?  invited_by: code? }
event order { amount: money }
event refund {}
event grab {}
event play {}
channel wechat { reach by openid }
points stars { expire 20 days  worth ¥0.01  budget 900 }
coupon rain { off ¥5.00 on orders from ¥10.00  codes generated "RAIN-##########"  valid 2 days
  budget 6 issued per day  limit 2 per customer per day }
red_packet hello { amount random ¥1.00 to ¥8.88 average ¥2.00  budget ¥30.00 per day, ¥60.00
  limit 1 per customer, 1 per device  claim within 24 hours  pay via wechat  wishes "hello" }
red_packet lucky { total ¥9.00 split among 4 by luck at least ¥0.30  budget ¥60.00 per day
  limit 2 per customer per day  claim within 5 hours  pay via wechat }
red_packet thanks { amount ¥2.00  pay via wechat }
prize_draw wheel { prize "tea" weight 3 stock 2  prize 7 stars weight 2 stock 5
  prize hello weight 1  prize "nothing" weight 4  budget 40 draws }
referral friends { bind last touch within 10 days  qualify when order within 5 days
  reward inviter give thanks  reward invitee give 5 stars  at 2 friends give 20 stars to inviter
  reward inviter of inviter give 2 stars  reward inviter of inviter give 1 stars at register
  at 2 friends give 3 stars to invitee  limit 5 per customer per day, 9 per device  budget ¥40.00
  refuse self, same device, cycle  claw back when refund within 3 days }
campaign welcome { class service  enter once  when register
  give hello  give 10 stars  wait 30 hours  give 3 stars to inviter }
campaign share { class service  enter always  budget ¥150.00  when order where amount >= ¥50.00
  give lucky }
campaign rains { class service  enter always  when grab
  give rain else { )" +
         without_rain + R"( } }
campaign plays { class service  enter always  when play
  take 4 stars { give wheel } else { give 1 stars or what is left } }
)" + more;
}

}  // namespace koi::deploy
