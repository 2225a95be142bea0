#include "tills.h"

#include <algorithm>
#include <array>
#include <utility>

#include "json.h"

namespace koi::simulator {

namespace {

constexpr Duration asks_for = hours(24);

}  // namespace

std::string in_words(const core::Answer& answer) {
  return "reason " + std::to_string(static_cast<int>(answer.reason)) + ", " +
         std::to_string(answer.amount) + ", " + std::to_string(answer.other) + ", about '" +
         answer.about + "' until " + koi::to_string(answer.until, utc());
}

Tills::Tills(Chance chance, Record& record, bool renames)
    : chance_(chance), record_(record), renames_(renames) {}

void Tills::read(const std::string& body) {
  constexpr std::string_view before = "code ";
  if (body.starts_with(before)) codes_.push_back(body.substr(before.size()));
}

void Tills::remember() {
  remembered_.clear();
  for (const Asking& each : asked_) remembered_.push_back(each.heard.size());
}

void Tills::take_back() {
  for (std::size_t i = 0; i < asked_.size(); ++i)
    asked_[i].heard.resize(i < remembered_.size() ? remembered_[i] : 0);
}

std::string Tills::person() {
  const std::string number = std::to_string(chance_.below(8));
  return chance_.one_in(4) ? "wechat_openid:o" + number : "c" + number;
}

std::size_t Tills::choose(Timestamp now, const std::vector<core::Accounts::Held>& held) {
  if (!asked_.empty() && chance_.one_in(3)) {
    const std::size_t recent = std::min<std::size_t>(asked_.size(), 6);
    const std::size_t at = asked_.size() - 1 - static_cast<std::size_t>(chance_.below(recent));
    const Asking& again = asked_[at];
    if (now < again.first + asks_for && (again.heard.empty() || chance_.one_in(4))) return at;
  }
  Asking& asking = asked_.emplace_back();
  asking.key = "k" + std::to_string(asked_.size());
  asking.first = now;
  ask(asking, held);
  return asked_.size() - 1;
}

void Tills::ask(Asking& asking, const std::vector<core::Accounts::Held>& held) {
  switch (chance_.below(10)) {
    case 0:
    case 1: return upload(asking);
    case 2:
    case 3:
    case 4: return ask_of_points(asking);
    case 5: {
      std::string inviter = person(), friend_of_his = person();
      if (!held.empty() && !chance_.one_in(4)) {
        const core::Accounts::Held& each = held[chance_.below(held.size())];
        inviter = each.who.inviter;
        friend_of_his = each.who.invitee;
      }
      asking.path = "/v1/reviews";
      asking.body = R"({"referral":"friends","inviter":)" + json(inviter) + R"(,"invitee":)" +
                    json(friend_of_his) + R"(,"decision":)" +
                    json(chance_.one_in(3) ? "decline" : "approve") + "}";
      return;
    }
    default: return ask_of_code(asking);
  }
}

// Few orders, so that they meet at one code.
void Tills::ask_of_code(Asking& asking) {
  const std::string code =
      codes_.empty() || chance_.one_in(20) ? "TEN-NOBODYS" : chance_.pick(codes_);
  if (!code.starts_with("TEN-") && !code.starts_with("P-")) {
    asking.path = "/v1/packets/" + code + "/claim";
    asking.body = R"({"subject":)" + json(person()) + "}";
    return;
  }
  static constexpr std::array deeds{"validate", "lock", "redeem", "redeem", "rollback"};
  asking.path = "/v1/coupons/" + code + "/" + deeds[chance_.below(deeds.size())];
  asking.body = R"({"order":)" + json("o" + std::to_string(chance_.below(3))) +
                R"(,"amount":"30.00")" +
                (chance_.one_in(2) ? R"(,"hold_seconds":86400})" : R"(,"hold_seconds":60})");
}

void Tills::ask_of_points(Asking& asking) {
  if (!spent_.empty() && chance_.one_in(3)) {
    const auto& [order, who] = chance_.pick(spent_);
    asking.path = "/v1/customers/" + who + "/points/rollback";
    asking.body = R"({"points":"stars","order":)" + json(order) + "}";
    return;
  }
  const auto& [order, who] = spent_.emplace_back("p" + std::to_string(asked_.size()), person());
  asking.path = "/v1/customers/" + who + "/points/spend";
  asking.body = R"({"points":"stars","order":)" + json(order) + R"(,"amount":)" +
                std::to_string(chance_.between(1, 8)) + "}";
}

// New ones, and now and then some that were uploaded before.
void Tills::upload(Asking& asking) {
  asking.path = "/v1/pools/spring/codes";
  for (std::uint64_t left = chance_.between(1, 4); left > 0; --left) {
    const std::uint64_t number =
        uploaded_ > 0 && chance_.one_in(4) ? chance_.below(uploaded_) : uploaded_++;
    asking.body += "P-" + std::to_string(number) + "\n";
  }
}

std::vector<std::size_t> Tills::unanswered(Timestamp now, std::size_t limit) const {
  std::vector<std::size_t> which;
  for (std::size_t i = 0; i < asked_.size() && which.size() < limit; ++i)
    if (asked_[i].heard.empty() && !asked_[i].is_nobodys && now < asked_[i].first + asks_for &&
        !asked_[i].path.ends_with("/validate"))
      which.push_back(i);
  return which;
}

net::Asked Tills::request(std::size_t which) {
  Asking& asking = asked_[which];
  const std::string key = ++asking.sendings == 1 || !renames_
                              ? asking.key
                              : asking.key + "#" + std::to_string(asking.sendings);
  record_.say("ask " + key + " " + asking.path);
  net::Asked asked;
  asked.method = "POST";
  asked.path = asking.path;
  asked.headers = {{"Idempotency-Key", key}};
  asked.body = asking.body;
  return asked;
}

void Tills::answered(std::size_t which, std::string words) {
  record_.say("told " + asked_[which].key + ": " + words);
  asked_[which].heard.push_back(std::move(words));
}

}  // namespace koi::simulator
