#include "serve/referrals.h"

#include <algorithm>
#include <iterator>
#include <memory>
#include <utility>

#include "base/decimal.h"
#include "serve/all_groups.h"
#include "serve/exposition.h"
#include "serve/json_writer.h"
#include "serve/page.h"

namespace koi::serve {

namespace {

using core::books::Tally;

// a for each b, in millionths; nothing where there is no b.
std::string share_text(std::uint64_t a, std::uint64_t b) {
  if (b == 0) return "null";
  return '"' + scaled_to_string(static_cast<std::int64_t>(a * 1'000'000 / b), 6) + '"';
}

constexpr std::pair<Tally, std::string_view> tally_names[] = {
    {Tally::Customers, "customers"}, {Tally::Inviters, "inviters"},
    {Tally::Asked, "invitations"},   {Tally::Joined, "joined"},
    {Tally::Qualified, "qualified"}, {Tally::ClawedBack, "clawed_back"},
    {Tally::Merged, "merged"},       {Tally::MergedInviters, "merged_inviters"}};

}  // namespace

void ask_referrals(durable::Writers& writers, const plan::Plan& plan,
                   std::function<void(Result<ReferralFigures>)> told) {
  const auto all = std::make_shared<ReferralFigures>(plan.referrals.size());
  if (all->empty()) return told(ReferralFigures());
  look_at_all(
      writers,
      [all](const core::Accounts& shared) -> Result<void> {
        for (std::size_t i = 0; i < all->size(); ++i) {
          KOI_LET(const auto of_group, shared.figures(plan::ReferralId::of(i)));
          (*all)[i].add(of_group);
        }
        return {};
      },
      [all, told = std::move(told)](const Result<void>& done) {
        told(done ? Result<ReferralFigures>(std::move(*all))
                  : Result<ReferralFigures>(done.error()));
      });
}

void append_members(std::string& out, const core::books::ReferralFigures& figures) {
  const auto member = [&](const char* name, std::uint64_t number) {
    out.append(",\"").append(name).append("\":").append(std::to_string(number));
  };
  member("customers", figures.customers());
  member("inviters", figures.inviters());
  member("invitations", figures.of(Tally::Asked));
  member("joined", figures.of(Tally::Joined));
  member("qualified", figures.of(Tally::Qualified));
  member("clawed_back", figures.of(Tally::ClawedBack));
  out +=
      R"(,"invitations_per_customer":)" + share_text(figures.of(Tally::Asked), figures.customers());
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
    for (const auto& [what, name] : tally_names)
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

// --- Who is held for review ---------------------------------------------------------------------

namespace {

std::string key_of(const core::books::Review& review) {
  return core::books::key_of_review(review.referral, review.inviter, review.invitee);
}

}  // namespace

Result<ReviewsAsked> reviews_asked(const net::Headers& query) {
  ReviewsAsked asked;
  KOI_LET(asked.most, limit_of(query, most_reviews, most_reviews));
  const std::string* const referral = net::find(query, "after_referral");
  const std::string* const inviter = net::find(query, "after_inviter");
  const std::string* const invitee = net::find(query, "after_invitee");
  if (!referral && !inviter && !invitee) return asked;
  if (!referral || !inviter || !invitee)
    return Error{"usage",
                 "who stands before the wanted ones is named by `after_referral`, `after_inviter` "
                 "and `after_invitee` together"};
  asked.after = {*referral, *inviter, *invitee};
  return asked;
}

void ask_reviews(durable::Writers& writers, const plan::Plan& plan, const ReviewsAsked& asked,
                 std::function<void(Result<Reviews>)> told) {
  const auto all = std::make_shared<Reviews>();
  if (plan.referrals.empty()) return told(std::move(*all));
  look_at_all(
      writers,
      [all, asked](const core::Accounts& shared) -> Result<void> {
        KOI_LET(auto held, shared.held_for_review(asked.most + 1, asked.after));
        std::move(held.begin(), held.end(), std::back_inserter(all->held));
        return {};
      },
      [all, most = asked.most, told = std::move(told)](const Result<void>& done) {
        if (!done) return told(done.error());
        std::sort(all->held.begin(), all->held.end(),
                  [](const auto& a, const auto& b) { return key_of(a.who) < key_of(b.who); });
        all->is_all = all->held.size() <= most;
        if (!all->is_all) all->held.resize(most);
        told(std::move(*all));
      });
}

std::string reviews_json(const plan::Plan& plan, const Reviews& reviews) {
  JsonWriter out(plan);
  out.open('{');
  out.key("reviews"), out.open('[');
  for (const core::Accounts::Held& each : reviews.held) {
    out.open('{');
    out.key("referral"), out.text(each.who.referral);
    out.key("inviter"), out.text(each.who.inviter);
    out.key("invitee"), out.text(each.who.invitee);
    out.key("since"), out.time(each.since);
    out.close('}');
  }
  out.close(']');
  out.key("complete"), out.boolean(reviews.is_all);
  if (!reviews.is_all) {
    const core::books::Review& last = reviews.held.back().who;
    out.key("more");
    out.text("/v1/reviews?limit=" + std::to_string(reviews.held.size()) +
             "&after_referral=" + net::percent_encoded(last.referral) +
             "&after_inviter=" + net::percent_encoded(last.inviter) +
             "&after_invitee=" + net::percent_encoded(last.invitee));
  }
  out.close('}');
  return out.take() + "\n";
}

}  // namespace koi::serve
