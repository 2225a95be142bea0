// What a program gives and what bounds it: red packets, coupons, points, draws, referrals, budgets
// and limits; the steps that give and take; what can be read of what was given.
#include <algorithm>
#include <set>

#include "check/detail/checker.h"
#include "check/worst_case.h"
#include "ledger/codes.h"

namespace koi::check {

namespace {

constexpr std::int64_t most_money = 1'000'000'000'000'000;  // minor units, and pieces

}  // namespace

bool is_order(const EventType& type) {
  return std::any_of(type.fields.begin(), type.fields.end(), [](const Field& field) {
    return field.symbol.name == "amount" && field.type.kind == Kind::Money;
  });
}

// --- Amounts and bounds --------------------------------------------------------------------------

std::optional<std::int64_t> Checker::amount_of_money(const ast::Expr& expr, std::int64_t least) {
  Scope scope;
  scope.place = Scope::Place::TestValue;
  const ExpressionId id = of_type(expr, scope, simple(Kind::Money));
  if (is_poison(id)) return std::nullopt;
  if (program_[id].op != Op::Constant) {
    report(Code::NotFixed, expr.span);
    return std::nullopt;
  }
  const std::int64_t minor = program_[id].constant.raw();
  if (minor < least || minor > most_money) {
    report(Code::AmountNotInRange, expr.span);
    return std::nullopt;
  }
  return minor;
}

std::optional<Per> Checker::per(const std::optional<ast::Period>& period) {
  Per out;
  if (!period) return out;
  if (const auto* unit = std::get_if<ast::CalendarUnit>(&period->length)) {
    switch (*unit) {
      case ast::CalendarUnit::Day: out.kind = Per::Kind::Day; break;
      case ast::CalendarUnit::Week: out.kind = Per::Kind::Week; break;
      case ast::CalendarUnit::Month: out.kind = Per::Kind::Month; break;
      case ast::CalendarUnit::Year: out.kind = Per::Kind::Year; break;
    }
    return out;
  }
  const auto& span = std::get<Span>(period->length);
  if (span == Span{0, hours(1)}) {
    out.kind = Per::Kind::Hour;
    return out;
  }
  if (span == Span{}) {
    report(Code::ZeroLength, period->span, {say("a period", "周期")});
    return std::nullopt;
  }
  out.kind = Per::Kind::Rolling;
  out.span = span;
  return out;
}

// `unit` is the word for pieces: `issued`, `draws`, `messages`, or empty where a number alone says
// it.
void Checker::budgets(const ast::BudgetClause& clause, std::string_view unit,
                      std::vector<Budget>& out) {
  for (const auto& item : clause.items) {
    Budget budget;
    budget.span = item.span;
    const bool money = std::holds_alternative<ast::MoneyLiteral>(item.amount.kind);
    const bool fits = money ? !item.of : (item.of ? item.of->canonical() == unit : unit.empty());
    const bool of_draws = unit == "draws";
    if (of_draws && money) {
      report(Code::DrawsCostNothing, item.span);
      continue;
    }
    if (!fits) {
      const std::string pieces = unit.empty() ? say("a number", "数量") : "`" + word(unit) + "`";
      report(Code::BudgetOfWhat, item.span,
             {(of_draws ? "" : say("money or of ", "金额或")) + pieces});
      continue;
    }
    budget.is_money = money;
    const auto amount = money ? amount_of_money(item.amount)
                              : whole_number(item.amount, 1, most_money, "a budget", "预算");
    const auto of_time = per(item.per);
    if (!amount || !of_time) continue;
    budget.amount = *amount;
    budget.per = *of_time;
    out.push_back(budget);
  }
}

void Checker::limits(const ast::LimitClause& clause, bool of_money, std::vector<Limit>& out) {
  for (const auto& item : clause.items) {
    Limit limit;
    limit.span = item.span;
    limit.is_money = of_money;
    const auto amount = of_money ? amount_of_money(item.amount)
                                 : whole_number(item.amount, 1, 1'000'000'000, "a limit", "限额");
    const auto& names = item.per.names;
    const bool dotted = names.size() == 2 && is_customer(names.front());
    if (names.size() > 2 || (names.size() == 2 && !dotted)) {
      report(Code::LimitPerWhom, item.per.span);
      continue;
    }
    if (dotted || !is_customer(names.front())) {
      limit.by = find_attribute(names.back());
      if (limit.by.is_none()) {
        suggest(report(Code::NoAttribute, names.back().span, {names.back().text}),
                names.back().text, attribute_names());
        continue;
      }
    }
    const auto of_time = per(item.period);
    if (!amount || !of_time) continue;
    limit.amount = *amount;
    limit.per = *of_time;
    out.push_back(limit);
  }
}

void Checker::policy_limits() {
  if (policy_ == nullptr) return;
  for (const auto& clause : policy_->clauses)
    if (const auto* limit = std::get_if<ast::LimitClause>(&clause))
      limits(*limit, true, program_.policy.limits);
}

// --- Declarations --------------------------------------------------------------------------------

void Checker::red_packet(const ast::RedPacketDecl& decl, Incentive& out) {
  RedPacket& packet = std::get<RedPacket>(out.what);
  SourceSpan wishes_at;
  Once once;
  const auto first = [&](const char* what, SourceSpan span) { return is_first(once, what, span); };
  for (const auto& clause : decl.clauses) {
    if (const auto* fixed_amount = std::get_if<ast::FixedAmount>(&clause)) {
      if (!first("amount", fixed_amount->span)) continue;
      if (const auto amount = amount_of_money(fixed_amount->amount))
        packet.from = packet.to = packet.mean = *amount;
    } else if (const auto* random = std::get_if<ast::RandomAmount>(&clause)) {
      if (!first("amount", random->span)) continue;
      const auto from = amount_of_money(random->from), to = amount_of_money(random->to);
      const auto mean = random->average ? amount_of_money(*random->average)
                        : from && to    ? std::optional((*from + *to) / 2)
                                        : std::nullopt;
      if (!from || !to || !mean) continue;
      if (*from > *mean || *mean > *to) {
        report(Code::AmountsDisagree, random->span);
        continue;
      }
      packet.how = RedPacket::How::Random;
      packet.from = *from, packet.to = *to, packet.mean = *mean;
    } else if (const auto* group = std::get_if<ast::GroupTotal>(&clause)) {
      if (!first("amount", group->span)) continue;
      const auto total = amount_of_money(group->total);
      const auto shares = whole_number(group->among, 1, 10'000, "a number of shares", "份数");
      const auto least =
          group->at_least ? amount_of_money(*group->at_least) : std::optional<std::int64_t>(1);
      packet.how = RedPacket::How::Group;  // whatever is wrong with it: it has shares
      if (!total || !shares || !least) continue;
      if (*total / *shares < *least) {
        report(Code::CannotSplit, group->span);
        continue;
      }
      packet.total = *total;
      packet.shares = static_cast<std::uint32_t>(*shares);
      packet.by_luck = group->by_luck;
      packet.at_least = *least;
    } else if (const auto* claim = std::get_if<ast::ClaimWithin>(&clause)) {
      if (first("claim", claim->span))
        packet.claim_within = length(claim->within, "the time to claim it", "领取期限");
    } else if (const auto* pay = std::get_if<ast::PayVia>(&clause)) {
      if (!first("pay", pay->span)) continue;
      if (const auto* channel = expect(pay->channel, only(Declares::Channel)))
        packet.pay_via = ChannelId::of(channel->index);
    } else if (const auto* wishes = std::get_if<ast::Wishes>(&clause)) {
      if (!first("wishes", wishes->span)) continue;
      Scope scope;
      const ExpressionId said = text(wishes->text, scope, true);
      if (!is_poison(said)) packet.wishes = said;
      wishes_at = wishes->span;
    } else if (const auto* budget = std::get_if<ast::BudgetClause>(&clause)) {
      budgets(*budget, "issued", out.budgets);
    } else {
      limits(std::get<ast::LimitClause>(clause), false, out.limits);
    }
  }
  if (packet.pay_via && packet.wishes)
    leaves_by_.push_back({packet.pay_via, wishes_at, {packet.wishes}});
  if (!once.has("amount"))
    report(Code::IncentiveLacks, decl.name.span, {decl.name.text, word("amount")});
}

void Checker::coupon_off(const ast::CouponOff& off, Coupon& out) {
  if (const auto* percent = std::get_if<ast::PercentLiteral>(&off.amount.kind)) {
    if (percent->value <= Decimal{} || percent->value > Decimal::of(1))
      report(Code::ShareNotInRange, off.amount.span);
    out.is_percent = true;
    out.off = percent->value.millionths;
  } else if (const auto amount = amount_of_money(off.amount)) {
    out.off = *amount;
  }
  if (off.up_to) out.ceiling = amount_of_money(*off.up_to);
  if (off.orders_from)
    if (const auto least = amount_of_money(*off.orders_from)) out.orders_from = *least;
  if (!off.where) return;
  // The first order that has all that is asked of it.
  const std::size_t found = diagnostics_.size();
  for (std::size_t i = engine_event_count; i < program_.schema.events.size(); ++i) {
    if (!is_order(program_.schema.events[i])) continue;
    Scope scope;
    scope.place = Scope::Place::MetricWhere;
    scope.has_event = true;
    scope.event = EventTypeId::of(i);
    scope.event_names = {program_.schema.events[i].symbol.name};
    const ExpressionId asked = condition(*off.where, scope);
    const bool good =
        std::none_of(diagnostics_.begin() + static_cast<std::ptrdiff_t>(found), diagnostics_.end(),
                     [](const Diagnostic& each) { return each.severity == Severity::Error; });
    if (good) {
      out.where = asked;
      out.order = scope.event;
      return;
    }
    diagnostics_.erase(diagnostics_.begin() + static_cast<std::ptrdiff_t>(found),
                       diagnostics_.end());
  }
  report(Code::NoEventIsOrder, off.where->span);
}

void Checker::coupon(const ast::CouponDecl& decl, Incentive& out) {
  Coupon& coupon = std::get<Coupon>(out.what);
  Once once;
  const auto first = [&](const char* what, SourceSpan span) { return is_first(once, what, span); };
  for (const auto& clause : decl.clauses) {
    if (const auto* off = std::get_if<ast::CouponOff>(&clause)) {
      if (first("off", off->span)) coupon_off(*off, coupon);
    } else if (const auto* codes = std::get_if<ast::CodesGenerated>(&clause)) {
      if (!first("codes", codes->span)) continue;
      coupon.pattern = codes->pattern.text;
      if (!ledger::CodePattern::read(coupon.pattern))
        report(Code::CodePattern, codes->pattern.span);
    } else if (const auto* pool = std::get_if<ast::CodesFromPool>(&clause)) {
      if (!first("codes", pool->span)) continue;
      coupon.pool = pool->file.text;
      if (coupon.pool.empty())
        report(Code::IncentiveLacks, pool->file.span, {decl.name.text, word("codes")});
      if (pool->low_at)
        coupon.low_at = whole_number(*pool->low_at, 0, most_money, "a stock", "库存").value_or(0);
    } else if (const auto* valid = std::get_if<ast::Valid>(&clause)) {
      if (!first("valid", valid->span)) continue;
      if (const auto* span = std::get_if<ast::DurationLiteral>(&valid->length)) {
        coupon.valid_for = length(*span, "the validity", "有效期");
      } else {
        const auto& range = std::get<ast::DateRange>(valid->length);
        coupon.valid_from = program_.policy.zone->instant({range.from.value, {}});
        coupon.valid_until = program_.policy.zone->instant({{range.to.value.days + 1}, {}});
        if (coupon.valid_until <= coupon.valid_from) report(Code::AmountsDisagree, range.span);
      }
    } else if (const auto* combine = std::get_if<ast::CombineWith>(&clause)) {
      if (!first("combine with", combine->span)) continue;
      for (const auto& name : combine->names) {
        if (name.canonical() == "any") {
          coupon.combines_with_any = true;
        } else if (name.canonical() == "best") {
          coupon.is_best_of = true;
        } else if (name.canonical() != "none") {
          if (const auto* other = expect(name, only(Declares::Incentive)))
            coupon.combines_with.push_back(IncentiveId::of(other->index));
        }
      }
    } else if (const auto* budget = std::get_if<ast::BudgetClause>(&clause)) {
      budgets(*budget, "issued", out.budgets);
    } else {
      limits(std::get<ast::LimitClause>(clause), false, out.limits);
    }
  }
  for (const char* needed : {"off", "codes"})
    if (!once.has(needed))
      report(Code::IncentiveLacks, decl.name.span, {decl.name.text, word(needed)});
  if (coupon.is_percent && !coupon.ceiling)
    for (const Budget& budget : out.budgets)
      if (budget.is_money) report(Code::NoCeiling, budget.span);
  if (const auto pattern = ledger::CodePattern::read(coupon.pattern))
    for (const Budget& budget : out.budgets)
      if (!budget.is_money && budget.per.kind == Per::Kind::Ever &&
          static_cast<std::uint64_t>(budget.amount) > pattern->capacity())
        report(
            Code::TooFewCodes, budget.span,
            {coupon.pattern, amount_shown(static_cast<std::int64_t>(pattern->capacity()), false)});
  // Nor can the policy's limit count it.
  if (coupon.is_percent && !coupon.ceiling && !program_.policy.limits.empty())
    report(Code::NoCeiling, decl.name.span);
}

// A code leads to one customer: what two generate must never be the same, whatever their keys. (A
// code is looked up to the letter, so hyphens and small letters tell two apart.)
void Checker::codes_apart() {
  struct Maker {
    std::string name, pattern;
    SourceSpan span;
  };
  std::vector<Maker> makers;
  const auto links_lead_to = [&](const ast::Name& name) {
    makers.push_back({name.text, std::string(ledger::pattern_of_links), name.span});
  };
  for (const ast::ReferralDecl* decl : referrals_) links_lead_to(decl->name);
  for (std::size_t i = 0; i < incentives_.size(); ++i) {
    const auto* packet = std::get_if<RedPacket>(&program_.incentives[i].what);
    if (packet && packet->how == RedPacket::How::Group)
      links_lead_to(std::get<const ast::RedPacketDecl*>(incentives_[i])->name);
  }
  for (const auto& incentive : incentives_) {
    const auto* const* coupon = std::get_if<const ast::CouponDecl*>(&incentive);
    if (!coupon) continue;
    const auto& clauses = (*coupon)->clauses;
    const auto clause = std::find_if(clauses.begin(), clauses.end(), [](const auto& each) {
      return std::holds_alternative<ast::CodesGenerated>(each);
    });
    if (clause == clauses.end()) continue;
    const ast::PlainText& said = std::get<ast::CodesGenerated>(*clause).pattern;
    const auto pattern = ledger::CodePattern::read(said.text);
    if (!pattern) continue;
    const auto other = std::find_if(makers.begin(), makers.end(), [&](const Maker& each) {
      return each.name != (*coupon)->name.text &&  // else it is declared twice, which is told
             pattern->could_make_same_as(*ledger::CodePattern::read(each.pattern));
    });
    if (other != makers.end())
      label(report(Code::CodesMeet, said.span,
                   {(*coupon)->name.text, said.text, other->name, other->pattern}),
            other->span, "the other one", "另一个在这里");
    makers.push_back({(*coupon)->name.text, said.text, said.span});
  }
}

void Checker::points(const ast::PointsDecl& decl, Incentive& out) {
  Points& points = std::get<Points>(out.what);
  SourceSpan pending_at;
  Once once;
  const auto first = [&](const char* what, SourceSpan span) { return is_first(once, what, span); };
  for (const auto& clause : decl.clauses) {
    if (const auto* expire = std::get_if<ast::PointsExpire>(&clause)) {
      if (!first("expire", expire->span)) continue;
      points.expire = length(expire->after, "how long points last", "积分有效期");
    } else if (const auto* pending = std::get_if<ast::PointsPending>(&clause)) {
      if (!first("pending", pending->span)) continue;
      points.pending = length(pending->until, "how long points are pending", "积分待生效期");
      pending_at = pending->span;
    } else if (const auto* worth = std::get_if<ast::PointsWorth>(&clause)) {
      if (!first("worth", worth->span)) continue;
      points.worth = amount_of_money(worth->money).value_or(0);
    } else if (const auto* budget = std::get_if<ast::BudgetClause>(&clause)) {
      budgets(*budget, "", out.budgets);
    } else {
      limits(std::get<ast::LimitClause>(clause), false, out.limits);
    }
  }
  const auto rolling = [](const Span& span) { return Per{Per::Kind::Rolling, span}; };
  if (points.expire && points.pending &&
      lies_within(rolling(*points.expire), rolling(*points.pending)))
    report(Code::NeverUsable, pending_at, {decl.name.text});
}

void Checker::prize_draw(const ast::PrizeDrawDecl& decl, Incentive& out) {
  PrizeDraw draw;
  bool has_prizes = false;
  for (const auto& clause : decl.clauses) {
    if (const auto* prize = std::get_if<ast::Prize>(&clause)) {
      has_prizes = true;
      PrizeDraw::Prize made;
      const auto weight = whole_number(prize->weight, 1, 1'000'000'000, "a weight", "权重");
      if (prize->stock) made.stock = whole_number(*prize->stock, 1, most_money, "a stock", "库存");
      if (const auto* named = std::get_if<ast::PlainText>(&prize->what)) {
        made.name = named->text;
      } else {
        const auto& of = std::get<ast::Gift>(prize->what);
        const auto given = gift(of, {});
        if (!given) continue;
        made.gift = given->incentive;
        made.name = program_.incentives[given->incentive.index()].symbol.name;
        if (std::holds_alternative<PrizeDraw>(program_.incentives[given->incentive.index()].what)) {
          report(Code::DrawInDraw, of.span);
          continue;
        }
        if (!given->amount.is_none()) {
          if (program_[given->amount].op != Op::Constant) {
            report(Code::NotFixed, of.span);
            continue;
          }
          made.points = program_[given->amount].constant.raw();
        }
      }
      if (!weight) continue;
      made.weight = static_cast<std::uint64_t>(*weight);
      draw.prizes.push_back(std::move(made));
    } else if (const auto* budget = std::get_if<ast::BudgetClause>(&clause)) {
      budgets(*budget, "draws", out.budgets);
    } else {
      limits(std::get<ast::LimitClause>(clause), false, out.limits);
    }
  }
  if (!has_prizes) report(Code::IncentiveLacks, decl.name.span, {decl.name.text, word("prize")});
  out.what = std::move(draw);
}

// `{code}` is the one thing that a link takes.
static std::optional<std::vector<std::string>> pieces_of(const ast::TextLiteral& text) {
  std::vector<std::string> pieces(1);
  for (const auto& part : text.parts) {
    if (const auto* chunk = std::get_if<ast::TextChunk>(&part)) {
      pieces.back() += chunk->text;
      continue;
    }
    const auto& inserted = *std::get<ast::Box<ast::Expr>>(part);
    const auto* path = std::get_if<ast::Path>(&inserted.kind);
    if (path == nullptr || path->names.size() != 1 || path->names[0].canonical() != "code")
      return std::nullopt;
    pieces.emplace_back();
  }
  if (pieces.size() < 2) return std::nullopt;
  return pieces;
}

void Checker::referral(const ast::ReferralDecl& decl, Referral& out) {
  Once once;
  const auto first = [&](const char* what, SourceSpan span) { return is_first(once, what, span); };
  for (const auto& clause : decl.clauses) {
    if (const auto* link = std::get_if<ast::ReferralLink>(&clause)) {
      if (!first("link", link->span)) continue;
      if (auto pieces = pieces_of(link->text))
        out.link = std::move(*pieces);
      else
        report(Code::LinkTakesCode, link->span);
    } else if (const auto* bind_clause = std::get_if<ast::ReferralBind>(&clause)) {
      if (!first("bind", bind_clause->span)) continue;
      out.first_touch = bind_clause->first_touch;
      out.touch_lasts = length(bind_clause->within, "`within`", "期限");
    } else if (const auto* qualify = std::get_if<ast::ReferralQualify>(&clause)) {
      if (!first("qualify", qualify->span)) continue;
      const Pattern checked = pattern(qualify->when, {});
      out.qualify_type = checked.pattern.match.type;
      out.qualify_where = checked.pattern.match.where;
      out.qualify_within = length(qualify->within, "`within`", "期限");
    } else if (const auto* reward = std::get_if<ast::ReferralReward>(&clause)) {
      const auto given = gift(reward->gift, {});
      if (!given) continue;
      Referral::Reward made{reward->inviter, *given, {}};
      made.span = reward->span;
      if (reward->above > 1) {
        report(Code::ThirdLevel, reward->span);
        continue;
      }
      made.is_one_up = reward->above == 1;
      if (reward->at) {
        const auto* event = expect_event(*reward->at);
        if (event == nullptr) continue;
        made.at = EventTypeId::of(event->index);
      }
      out.rewards.push_back(made);
    } else if (const auto* milestone = std::get_if<ast::ReferralMilestone>(&clause)) {
      const auto friends = whole_number(milestone->friends, 1, 1'000'000, "friends", "好友数");
      const auto given = gift(milestone->gift, {});
      if (friends && given)
        out.milestones.push_back({*friends, *given, milestone->to_invitee, milestone->span});
    } else if (const auto* refuse = std::get_if<ast::ReferralRefuse>(&clause)) {
      for (const auto& reason : refuse->reasons) {
        const auto& name = reason.words.front();
        const auto canonical = name.canonical();
        if (reason.words.size() == 2) {
          const AttributeId attribute = find_attribute(reason.words[1]);
          if (attribute.is_none())
            suggest(report(Code::NoAttribute, reason.words[1].span, {reason.words[1].text}),
                    reason.words[1].text, attribute_names());
          else
            out.refuses_same.push_back(attribute);
        } else if (canonical == "self") {
          out.refuses_self = true;
        } else if (canonical == "existing customer") {
          out.refuses_existing = true;
        } else if (canonical == "cycle") {
          out.refuses_cycle = true;
        } else if (const auto* declared = expect(name, values_and_conditions)) {
          const ExpressionId asked = declared_value(*declared, name.span, {});
          if (is_poison(asked)) continue;
          if (type(asked).kind == Kind::Bool)
            out.refuses_whom.push_back(asked);
          else
            report(Code::ExpectedType, name.span,
                   {say("a condition", "条件"), describe(type(asked))});
        }
      }
    } else if (const auto* review = std::get_if<ast::ReferralReview>(&clause)) {
      if (!first("hold for review", review->span)) continue;
      out.review_more_than =
          whole_number(review->more_than, 1, 1'000'000, "friends", "好友数").value_or(0);
      out.review_within = length(review->within, "`within`", "期限");
    } else if (const auto* claw = std::get_if<ast::ReferralClawBack>(&clause)) {
      const Pattern checked = pattern(claw->when, {});
      const std::optional<Span> within = length(claw->within, "`within`", "期限");
      const auto& match = checked.pattern.match;
      if (checked.ok) out.undone_by.push_back({match.type, match.where, within});
    } else if (const auto* limit = std::get_if<ast::LimitClause>(&clause)) {
      limits(*limit, false, out.limits);
    } else {
      referral_budgets(std::get<ast::BudgetClause>(clause), out);
    }
  }
  if (!once.has("qualify"))
    report(Code::IncentiveLacks, decl.name.span, {decl.name.text, word("qualify")});
  for (const Referral::Reward& reward : out.rewards) fits_at_all(reward.gift, reward.span, false);
  for (const Referral::Milestone& each : out.milestones) fits_at_all(each.gift, each.span, false);
  gives_too_much(out);
  never_counted(out.budgets);
}

// Its rewards are of many kinds: money is what they have in common.
void Checker::referral_budgets(const ast::BudgetClause& clause, Referral& out) {
  for (const auto& item : clause.items)
    if (!std::holds_alternative<ast::MoneyLiteral>(item.amount.kind)) {
      report(Code::ExpectedType, item.span,
             {describe(simple(Kind::Money)), describe(simple(Kind::Int))});
      return;
    }
  budgets(clause, "", out.budgets);
}

void Checker::incentives() {
  policy_limits();
  for (std::size_t i = 0; i < incentives_.size(); ++i) {
    Incentive& out = program_.incentives[i];
    std::visit(
        [&](const auto* decl) {
          using Decl = std::decay_t<decltype(*decl)>;
          if constexpr (std::is_same_v<Decl, ast::RedPacketDecl>)
            red_packet(*decl, out);
          else if constexpr (std::is_same_v<Decl, ast::CouponDecl>)
            coupon(*decl, out);
          else if constexpr (std::is_same_v<Decl, ast::PointsDecl>)
            points(*decl, out);
          else
            prize_draw(*decl, out);
        },
        incentives_[i]);
    worst_case(out);
  }
  for (std::size_t i = 0; i < referrals_.size(); ++i)
    referral(*referrals_[i], program_.referrals[i]);
  codes_apart();
}

// --- What was given, as a value ------------------------------------------------------------------

bool Checker::is_points(const Declared& declared) const {
  return declared.kind == Declares::Incentive &&
         std::holds_alternative<Points>(program_.incentives[declared.index].what);
}

ExpressionId Checker::grant_read(const GrantRead& read, Type type, std::string_view name,
                                 SourceSpan span) {
  auto& all = program_.grant_reads;
  auto found = std::find(all.begin(), all.end(), read);
  if (found == all.end()) found = all.insert(all.end(), read);
  return add({.op = Op::Granted,
              .type = type,
              .span = span,
              .index = static_cast<std::uint32_t>(found - all.begin())},
             name);
}

ExpressionId Checker::points_held(const Declared& declared, SourceSpan span) {
  return grant_read({GrantRead::What::Balance, IncentiveId::of(declared.index), {}},
                    simple(Kind::Int), declared.symbol.name + " held", span);
}

ExpressionId Checker::grant_field(const Declared& declared, const ast::Name& field,
                                  SourceSpan span) {
  using What = GrantRead::What;
  struct Readable {
    std::string_view name;
    What what;
    Kind kind;
  };
  std::vector<Readable> readable;
  GrantRead read;
  if (declared.kind == Declares::Referral) {
    read.referral = ReferralId::of(declared.index);
    readable = {{"link", What::InviteLink, Kind::Text},
                {"code", What::InviteCode, Kind::Text},
                {"scene", What::InviteScene, Kind::Text},
                {"friends", What::Friends, Kind::Int}};
  } else {
    read.incentive = IncentiveId::of(declared.index);
    const auto& what = program_.incentives[declared.index].what;
    if (const auto* packet = std::get_if<RedPacket>(&what)) {
      readable = {{"amount", What::Amount, Kind::Money},
                  {"code", What::Code, Kind::Text},
                  {"valid_until", What::ValidUntil, Kind::Instant}};
      static_cast<void>(packet);
      readable.push_back({"link", What::Link, Kind::Text});
    } else if (std::holds_alternative<Coupon>(what)) {
      readable = {{"code", What::Code, Kind::Text},
                  {"amount", What::Amount, Kind::Money},
                  {"valid_until", What::ValidUntil, Kind::Instant}};
    } else if (std::holds_alternative<PrizeDraw>(what)) {
      readable = {{"prize", What::Prize, Kind::Text}};
    } else {
      readable = {{"amount", What::Amount, Kind::Int}};
    }
  }
  // A code is called `券码` too, as the events have it, where it is not the clause that says where
  // codes come from.
  const std::string_view asked = field.text == "券码" ? "code" : field.canonical();
  for (const Readable& each : readable) {
    if (each.name != asked) continue;
    read.what = each.what;
    const bool always = declared.kind == Declares::Referral;
    return grant_read(read, simple(each.kind, !always),
                      declared.symbol.name + "." + std::string(each.name), span);
  }
  std::vector<std::string> names;
  for (const Readable& each : readable) names.emplace_back(each.name);
  suggest(report(Code::NothingOfGrant, field.span, {declared.symbol.name, field.text}), field.text,
          names);
  return poison(span);
}

// --- Steps ---------------------------------------------------------------------------------------

std::optional<Gift> Checker::gift(const ast::Gift& gift, const Scope& scope) {
  Gift out;
  ExpressionId amount;
  if (gift.amount) amount = expression(*gift.amount, scope);
  const auto* declared = expect(gift.incentive, only(Declares::Incentive));
  if (declared == nullptr || (gift.amount && is_poison(amount))) return std::nullopt;
  out.incentive = IncentiveId::of(declared->index);
  if (!is_points(*declared)) {
    if (!gift.amount) return out;
    report(Code::OneAtATime, gift.span, {gift.incentive.text});
    return std::nullopt;
  }
  if (!gift.amount) {
    report(Code::SayHowMany, gift.span, {gift.incentive.text});
    return std::nullopt;
  }
  const Type of = type(amount);
  if (of.kind == Kind::Number) {
    amount = unary(Op::Floor, amount, simple(Kind::Int, of.optional), gift.amount->span);
  } else if (of.kind != Kind::Int) {
    report(Code::ExpectedType, gift.amount->span, {say("a number", "数"), describe(of)});
    return std::nullopt;
  }
  out.amount = amount;
  return out;
}

void Checker::give(const ast::GiveStep& step, const std::vector<Visible>& visible,
                   const std::vector<Hash128>& asked, Block& out) {
  Scope scope;
  scope.visible = &visible;
  const auto given = gift(step.gift, scope);
  Block otherwise = block(step.otherwise, visible, asked);
  if (!given) return;
  const auto& of = program_.incentives[given->incentive.index()].what;
  const bool is_whole = std::holds_alternative<Coupon>(of) || std::holds_alternative<PrizeDraw>(of);
  if (step.or_what_is_left && is_whole)
    report(Code::NothingLeftOver, step.span, {step.gift.incentive.text});
  fits_at_all(*given, step.span, step.or_what_is_left);
  has_ceiling(*given, current_->budgets);
  if (step.to_inviter && program_.referrals.empty()) {
    report(Code::NoReferral, step.span);
    return;
  }
  out.push_back({step.span, Give{*given, step.to_inviter, step.or_what_is_left,
                                 step.otherwise.has_value(), std::move(otherwise)}});
}

void Checker::claw_back(const ast::ClawBackStep& step, Block& out) {
  const auto* declared = expect(step.incentive, only(Declares::Incentive));
  if (declared == nullptr) return;
  if (!is_points(*declared)) {
    report(Code::TakesPoints, step.incentive.span, {step.incentive.text});
    return;
  }
  out.push_back({step.span, ClawBack{IncentiveId::of(declared->index)}});
}

void Checker::take(const ast::TakeStep& step, const std::vector<Visible>& visible,
                   const std::vector<Hash128>& asked, Block& out) {
  Scope scope;
  scope.visible = &visible;
  Take made;
  const auto taken = gift(step.gift, scope);
  made.then = block(step.then, visible, asked);
  made.otherwise = block(step.otherwise, visible, asked);
  if (!taken) return;
  if (taken->amount.is_none()) {
    report(Code::TakesPoints, step.gift.span, {step.gift.incentive.text});
    return;
  }
  made.gift = *taken;
  out.push_back({step.span, std::move(made)});
}

}  // namespace koi::check
