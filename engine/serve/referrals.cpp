#include "serve/referrals.h"

#include <utility>

#include "base/decimal.h"
#include "serve/exposition.h"
#include "serve/json_writer.h"

namespace koi::serve {

namespace {

using core::books::Tally;

// a for each b, in millionths; nothing where there is no b.
std::string share_text(std::uint64_t a, std::uint64_t b) {
  if (b == 0) return "null";
  return '"' + scaled_to_string(static_cast<std::int64_t>(a * 1'000'000 / b), 6) + '"';
}

constexpr std::pair<Tally, std::string_view> names[] = {
    {Tally::Customers, "customers"}, {Tally::Inviters, "inviters"},
    {Tally::Asked, "invitations"},   {Tally::Joined, "joined"},
    {Tally::Qualified, "qualified"}, {Tally::ClawedBack, "clawed_back"}};

}  // namespace

void ask_referrals(durable::Writers& writers, const plan::Plan& plan,
                   std::function<void(Result<ReferralFigures>)> told) {
  if (plan.referrals.empty()) return told(ReferralFigures());
  writers.look_at_shared(
      [&plan, told = std::move(told)](const Result<const core::Accounts*>& shared) {
        if (!shared) return told(shared.error());
        ReferralFigures all;
        for (std::size_t i = 0; i < plan.referrals.size(); ++i) {
          auto of_one = (*shared)->figures(plan::ReferralId::of(i));
          if (!of_one) return told(of_one.error());
          all.push_back(*std::move(of_one));
        }
        told(std::move(all));
      });
}

void append_members(std::string& out, const core::books::ReferralFigures& figures) {
  for (const auto& [what, name] : names)
    out.append(",\"").append(name).append("\":").append(std::to_string(figures.of(what)));
  out += R"(,"invitations_per_customer":)" +
         share_text(figures.of(Tally::Asked), figures.of(Tally::Customers));
  out += R"(,"conversion":)" + share_text(figures.of(Tally::Qualified), figures.of(Tally::Asked));
  const auto k = figures.k_factor();
  out += R"(,"k_factor":)" + (k ? '"' + scaled_to_string(*k, 6) + '"' : std::string("null"));
  const auto cycle = figures.cycle_time();
  out += R"(,"cycle_seconds":)" +
         (cycle ? std::to_string(cycle->us / 1'000'000) : std::string("null"));
}

std::string metrics_of(const plan::Plan& plan, const ReferralFigures& figures) {
  if (figures.empty()) return {};
  Exposition out;
  const auto each = [&](auto tell) {
    for (std::size_t i = 0; i < figures.size(); ++i)
      tell(figures[i], label("referral", plan.referrals[i].symbol.name));
  };
  out.family("koi_referral_total", "counter", "What became of a referral since the data began.");
  each([&](const core::books::ReferralFigures& of, const std::string& referral) {
    for (const auto& [what, name] : names)
      out.value(of.of(what), referral + "," + label("what", name));
  });
  out.family("koi_referral_k_factor", "gauge", "Invitations for each customer times conversion.");
  each([&](const core::books::ReferralFigures& of, const std::string& referral) {
    if (const auto k = of.k_factor()) out.value(scaled_to_string(*k, 6), referral);
  });
  out.family("koi_referral_cycle_seconds", "gauge",
             "Median time from being invited to the first friend of one's own who counts.");
  each([&](const core::books::ReferralFigures& of, const std::string& referral) {
    if (const auto cycle = of.cycle_time())
      out.value(static_cast<std::uint64_t>(cycle->us / 1'000'000), referral);
  });
  return out.take();
}

std::string reviews_json(const plan::Plan& plan, std::span<const core::Accounts::Held> held,
                         bool is_all) {
  JsonWriter out(plan);
  out.open('{');
  out.key("reviews"), out.open('[');
  for (const core::Accounts::Held& each : held) {
    out.open('{');
    out.key("referral"), out.text(each.who.referral);
    out.key("inviter"), out.text(each.who.inviter);
    out.key("invitee"), out.text(each.who.invitee);
    out.key("since"), out.time(each.since);
    out.close('}');
  }
  out.close(']');
  out.key("complete"), out.boolean(is_all);
  out.close('}');
  return out.take() + "\n";
}

}  // namespace koi::serve
