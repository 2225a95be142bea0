// What tests say of incentives: friends who claim, coupons at a till, and what is expected of both.
#include <algorithm>
#include <set>

#include "check/detail/checker.h"

namespace koi::check {

void Checker::given_codes(const ast::GivenCodes& given, Test& test) {
  const bool is_pool = std::any_of(program_.incentives.begin(), program_.incentives.end(),
                                   [&](const Incentive& each) {
                                     const auto* coupon = std::get_if<Coupon>(&each.what);
                                     return coupon != nullptr && coupon->pool == given.pool.text;
                                   });
  if (!is_pool) {
    report(Code::NoPool, given.pool.span, {given.pool.text});
    return;
  }
  GivenCodes out{given.pool.text, {}};
  for (const ast::PlainText& code : given.codes) out.codes.push_back(code.text);
  test.statements.push_back({given.span, std::move(out)});
}

void Checker::test_claims(const ast::TestClaims& claims, const ast::Expr& at, Test& test) {
  TestClaims out;
  const auto time = instant(at);
  const auto count = whole_number(claims.count, 1, 10'000, "customers", "顾客数");
  const auto* declared = expect(claims.incentive, only(Declares::Incentive));
  if (declared == nullptr || !count || !time) return;
  const auto* packet = std::get_if<RedPacket>(&program_.incentives[declared->index].what);
  if (packet == nullptr || packet->how != RedPacket::How::Group) {
    report(Code::OnlySharesAreClaimed, claims.incentive.span, {claims.incentive.text});
    return;
  }
  out.at = *time;
  out.customers = *count;
  out.incentive = IncentiveId::of(declared->index);
  out.of = test_customer(claims.of, test);
  test.statements.push_back({claims.span, out});
}

void Checker::test_redeem(const ast::TestRedeem& redeem, const ast::Expr& at, Test& test) {
  using Deed = TestRedeem::Deed;
  TestRedeem out;
  const auto time = instant(at);
  const auto* declared = expect(redeem.coupon, only(Declares::Incentive));
  if (declared == nullptr || !time) return;
  const auto* coupon = std::get_if<Coupon>(&program_.incentives[declared->index].what);
  if (coupon == nullptr) {
    report(Code::OnlyCouponsAreRedeemed, redeem.coupon.span, {redeem.coupon.text});
    return;
  }
  out.at = *time;
  out.deed = redeem.deed == ast::TestRedeem::Deed::Redeem ? Deed::Redeem
             : redeem.deed == ast::TestRedeem::Deed::Lock ? Deed::Lock
                                                          : Deed::RollBack;
  out.coupon = IncentiveId::of(declared->index);
  out.of = test_customer(redeem.of, test);
  out.hold = minutes(15);
  out.type = coupon->order;
  for (std::size_t i = engine_event_count; out.type.is_none() && i < program_.schema.events.size();
       ++i)
    if (is_order(program_.schema.events[i])) out.type = EventTypeId::of(i);
  if (out.type)
    for (const Field& field : program_.schema[out.type].fields)
      out.fields.push_back(field.fallback);
  std::set<std::string, std::less<>> said;
  for (const auto& setting : redeem.settings) {
    if (!said.insert(setting.name.text).second) {
      report(Code::SaidTwice, setting.span, {setting.name.text});
      continue;
    }
    order_fact(setting, out);
  }
  if (out.amount == 0 && out.deed != Deed::RollBack) {
    report(Code::FieldRequired, redeem.coupon.span,
           {"amount", out.type ? program_.schema[out.type].symbol.name : "redeemed"});
    return;
  }
  test.statements.push_back({redeem.span, std::move(out)});
}

// What the till says of the order: `order`, `hold` and `beside`; the rest is as its event has it.
void Checker::order_fact(const ast::Setting& setting, TestRedeem& out) {
  const std::string_view name = setting.name.canonical();
  if (name == "beside") {
    for (const auto& value : setting.values) {
      const auto* path = std::get_if<ast::Path>(&value.kind);
      if (path == nullptr || path->names.size() != 1) {
        report(Code::OnlyCouponsAreRedeemed, value.span, {setting.name.text});
        continue;
      }
      if (const auto* other = expect(path->names.front(), only(Declares::Incentive)))
        out.beside.push_back(IncentiveId::of(other->index));
    }
    return;
  }
  if (name == "hold") {
    if (const auto value = fixed_setting(setting, simple(Kind::Duration)))
      out.hold = value->as_duration();
    return;
  }
  const FieldId field = out.type ? find_field(out.type, setting.name) : FieldId::none();
  if (name == "order" || name == "amount") {
    const auto value = fixed_setting(setting, simple(name == "order" ? Kind::Text : Kind::Money));
    if (!value) return;
    if (name == "order")
      out.order = value->as_text();
    else
      out.amount = value->raw();
    const bool fits = field && program_.schema[out.type].fields[field.index()].type.kind ==
                                   (name == "order" ? Kind::Text : Kind::Money);
    if (fits) out.fields[field.index()] = *value;
    return;
  }
  if (field.is_none()) {
    suggest(
        report(Code::NoField, setting.name.span,
               {out.type ? program_.schema[out.type].symbol.name : "redeemed", setting.name.text}),
        setting.name.text,
        out.type ? field_names(out.type) : std::vector<std::string>{"order", "amount"});
    return;
  }
  const Type& type = program_.schema[out.type].fields[field.index()].type;
  if (const auto value = fixed_setting(setting, type)) out.fields[field.index()] = *value;
}

void Checker::expect_claimed(const ast::ExpectClaimed& expected, bool since_last_stop, Test& test) {
  ExpectClaimed out;
  const auto* declared = expect(expected.incentive, only(Declares::Incentive));
  const auto amount = [&](const std::optional<ast::Expr>& expr) {
    return expr ? amount_of_money(*expr, 0) : std::nullopt;
  };
  out.total = amount(expected.total);
  out.least = amount(expected.each_from);
  out.most = amount(expected.each_to);
  if (declared == nullptr) return;
  out.incentive = IncentiveId::of(declared->index);
  out.since_last_stop = since_last_stop;
  test.statements.push_back({expected.span, out});
}

// `give newcomer_gift to ann amount from ¥1.00 to ¥8.88`, `give 200 stars`.
void Checker::test_amount(const ast::ExpectAction& expectation, IncentiveId incentive,
                          ExpectAction& out) {
  const bool of_draw = !incentive.is_none() && std::holds_alternative<PrizeDraw>(
                                                   program_.incentives[incentive.index()].what);
  const auto& said = expectation.count ? expectation.count : expectation.amount_from;
  if (said && (of_draw || (out.refuse && out.action != Action::Give))) {
    report(Code::NoAmount, said->span);
    return;
  }
  if (expectation.count) {
    const auto count = fixed(*expectation.count, simple(Kind::Int));
    if (count) out.least = out.most = count->raw();
    return;
  }
  const bool points = !incentive.is_none() &&
                      std::holds_alternative<Points>(program_.incentives[incentive.index()].what);
  const auto amount = [&](const std::optional<ast::Expr>& expr) -> std::optional<std::int64_t> {
    if (!expr) return std::nullopt;
    const auto value = fixed(*expr, simple(points ? Kind::Int : Kind::Money));
    return value ? std::optional(value->raw()) : std::nullopt;
  };
  out.least = amount(expectation.amount_from);
  out.most = amount(expectation.amount_to);
}

}  // namespace koi::check
