// Words, expressions, and the phrases that declarations and campaigns share.
#include <algorithm>

#include "lang/parse_builder.h"

namespace koi::lang {
namespace {

constexpr std::int64_t longest_us = 200ll * 366 * 86'400 * 1'000'000;
constexpr int longest_months = 200 * 12;

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return static_cast<signed char>(c) > 0; });
}

}  // namespace

// --------------------------------------------------------------------------------- words, places

const Token& Builder::token(antlr4::tree::TerminalNode* node) const {
  return lexed_.tokens[node->getSymbol()->getTokenIndex()];
}

SourceSpan Builder::span(antlr4::ParserRuleContext* ctx) const {
  const auto first = ctx->getStart()->getTokenIndex();
  const auto begin = token(first).begin;
  const auto* stop = ctx->getStop();
  if (stop == nullptr || stop->getTokenIndex() < first) return {number_, begin, begin};
  return {number_, begin, token(stop->getTokenIndex()).end};
}

SourceSpan Builder::from_to(SourceSpan first, SourceSpan last) {
  return {first.source, first.begin, std::max(first.end, last.end)};
}

// Items may hold items; the exception stays with the innermost that could go on.
bool Builder::whole(antlr4::ParserRuleContext* ctx) {
  while (ctx != nullptr) {
    if (ctx->exception != nullptr) return false;
    if (ctx->children.size() != 1) return true;
    auto* only = dynamic_cast<antlr4::ParserRuleContext*>(ctx->children.front());
    if (only == nullptr) return true;
    ctx = only;
  }
  return false;
}

bool Builder::misread(antlr4::ParserRuleContext* ctx) const {
  if (broken.empty() || ctx->getStop() == nullptr) return false;
  const auto& last = token(ctx->getStop()->getTokenIndex());
  const auto& next = token(std::min(ctx->getStop()->getTokenIndex() + 1, lexed_.tokens.size() - 1));
  const auto between = source_.text().substr(last.end, next.begin - last.end);
  const bool same_line = between.find('\n') == between.npos;
  return std::any_of(broken.begin(), broken.end(), [&](SourceSpan error) {
    return (error.begin < last.end && error.end >= last.end) ||
           (same_line && error.begin == next.begin);
  });
}

ast::Name Builder::name_of(const Token& word) {
  ast::Name name{.text = {}, .span = span(word)};
  if (word.kind == Kind::NAME) {
    name.text = value(word);
    if (source_.text()[word.begin] != '`' && !is_ascii(name.text)) {
      name.keyword = builtin_word(name.text);
    }
    return name;
  }
  name.text = slice(name.span);
  if (name.text.find_first_of(" \t\r\n") != name.text.npos) {
    report(Code::NotAName, name.span, {name.text});
  }
  if (!is_ascii(name.text)) name.keyword = keyword(word.kind).english;
  return name;
}

ast::Name Builder::name(Grammar::NameContext* ctx) {
  return name_of(token(ctx->getStart()->getTokenIndex()));
}
ast::Name Builder::name(Grammar::WordContext* ctx) {
  return name_of(token(ctx->getStart()->getTokenIndex()));
}

ast::Name Builder::name(Grammar::LabelContext* ctx) {
  return name_of(token(ctx->getStart()->getTokenIndex()));
}

std::vector<ast::Name> Builder::names(const std::vector<Grammar::NameContext*>& all,
                                      std::size_t first) {
  std::vector<ast::Name> found;
  for (auto i = first; i < all.size(); ++i) found.push_back(name(all[i]));
  return found;
}

ast::Alias Builder::alias(Grammar::AliasContext* ctx) {
  if (ctx == nullptr) return std::nullopt;
  const auto& quoted = token(ctx->TEXT());
  return ast::Name{.text = value(quoted), .span = span(quoted)};
}

ast::TextLiteral Builder::text(Grammar::TextContext* ctx) {
  ast::TextLiteral text{.parts = {}, .span = span(ctx)};
  if (auto* whole_text = ctx->TEXT()) {
    const auto& quoted = token(whole_text);
    if (!value(quoted).empty()) text.parts.push_back(ast::TextChunk{value(quoted), span(quoted)});
    return text;
  }
  for (auto* child : ctx->children) {
    if (auto* inserted = dynamic_cast<Grammar::ExpressionContext*>(child)) {
      text.parts.push_back(ast::Box<ast::Expr>(expression(inserted)));
    } else if (auto* node = dynamic_cast<antlr4::tree::TerminalNode*>(child)) {
      const auto& chunk = token(node);
      if (chunk.kind == Kind::TEXT_CHUNK && !value(chunk).empty()) {
        text.parts.push_back(ast::TextChunk{value(chunk), span(chunk)});
      }
    }
  }
  return text;
}

ast::PlainText Builder::plain_text(Grammar::PlainTextContext* ctx) {
  auto* quoted = ctx->text()->TEXT();
  if (quoted == nullptr) {
    report(Code::TextNotPlain, span(ctx));
    return {.text = slice(span(ctx)), .span = span(ctx)};
  }
  return {.text = value(token(quoted)), .span = span(ctx)};
}

// ----------------------------------------------------------------------------------- expressions

bool Builder::chain_fits(antlr4::ParserRuleContext* ctx, std::size_t parts) {
  if (parts <= longest_chain) return true;
  report(Code::ChainTooLong, span(ctx), {std::to_string(longest_chain)});
  return false;
}

ast::Expr Builder::expression(Grammar::ExpressionContext* ctx) {
  const auto parts = ctx->conjunction();
  if (parts.size() == 1 || !chain_fits(ctx, parts.size())) return conjunction(parts.front());
  ast::Or either;
  for (auto* part : parts) either.operands.push_back(conjunction(part));
  return {.span = span(ctx), .kind = std::move(either)};
}

ast::Expr Builder::conjunction(Grammar::ConjunctionContext* ctx) {
  const auto parts = ctx->negation();
  if (parts.size() == 1 || !chain_fits(ctx, parts.size())) return negation(parts.front());
  ast::And both;
  for (auto* part : parts) both.operands.push_back(negation(part));
  return {.span = span(ctx), .kind = std::move(both)};
}

ast::Expr Builder::negation(Grammar::NegationContext* ctx) {
  if (ctx->NOT() == nullptr) return comparison(ctx->comparison());
  return {.span = span(ctx), .kind = ast::Not{negation(ctx->negation())}};
}

ast::CompareOp Builder::comparator(Grammar::ComparatorContext* ctx) {
  switch (token(ctx->getStart()->getTokenIndex()).kind) {
    case Kind::NOT_EQUAL: return ast::CompareOp::NotEqual;
    case Kind::LESS: return ast::CompareOp::Less;
    case Kind::LESS_EQUAL: return ast::CompareOp::LessEqual;
    case Kind::GREATER: return ast::CompareOp::Greater;
    case Kind::GREATER_EQUAL: return ast::CompareOp::GreaterEqual;
    default: return ast::CompareOp::Equal;  // `==`, and `=` is read as such
  }
}

ast::Expr Builder::no(antlr4::tree::TerminalNode* node) {
  return {.span = span(token(node)), .kind = ast::BoolLiteral{false}};
}

ast::Expr Builder::comparison(Grammar::ComparisonContext* ctx) {
  const auto place = span(ctx);
  const auto sums = ctx->sum();
  if (sums.empty()) {
    return {.span = place, .kind = ast::In{.left = {}, .right = members(ctx->members())}};
  }
  auto left = sum(sums.front());
  if (auto* op = ctx->comparator()) {
    auto right = sums.size() == 2 ? sum(sums[1]) : no(ctx->NO());
    return {.span = place, .kind = ast::Compare{comparator(op), std::move(left), std::move(right)}};
  }
  if (ctx->IN() != nullptr) {
    return {.span = place,
            .kind = ast::In{.left = ast::Box<ast::Expr>(std::move(left)),
                            .negated = ctx->NOT() != nullptr,
                            .right = members(ctx->members())}};
  }
  if (ctx->CONTAINS() != nullptr) {
    auto right = ctx->path() != nullptr ? path_expression(ctx->path())
                 : ctx->list() != nullptr
                     ? list(ctx->list())
                     : ast::Expr{.span = span(ctx->text()), .kind = text(ctx->text())};
    return {.span = place,
            .kind = ast::Contains{std::move(left), ctx->ANY_OF() != nullptr, std::move(right)}};
  }
  if (ctx->IS_KNOWN() != nullptr || ctx->IS_MISSING() != nullptr) {
    return {.span = place, .kind = ast::Known{std::move(left), ctx->IS_KNOWN() != nullptr}};
  }
  return left;
}

ast::Expr Builder::members(Grammar::MembersContext* ctx) {
  return ctx->path() != nullptr ? path_expression(ctx->path()) : list(ctx->list());
}

ast::Expr Builder::sum(Grammar::SumContext* ctx) {
  const auto parts = ctx->product();
  auto left = product(parts.front());
  if (!chain_fits(ctx, parts.size())) return left;
  for (std::size_t i = 1; i < parts.size(); ++i) {
    auto* sign = dynamic_cast<antlr4::tree::TerminalNode*>(ctx->children[2 * i - 1]);
    const auto op =
        token(sign).kind == Kind::PLUS ? ast::ArithmeticOp::Add : ast::ArithmeticOp::Subtract;
    auto right = product(parts[i]);
    const auto place = from_to(left.span, right.span);
    left = {.span = place, .kind = ast::Arithmetic{op, std::move(left), std::move(right)}};
  }
  return left;
}

ast::Expr Builder::product(Grammar::ProductContext* ctx) {
  const auto parts = ctx->factor();
  auto left = factor(parts.front());
  if (!chain_fits(ctx, parts.size())) return left;
  for (std::size_t i = 1; i < parts.size(); ++i) {
    auto* sign = dynamic_cast<antlr4::tree::TerminalNode*>(ctx->children[2 * i - 1]);
    const auto op =
        token(sign).kind == Kind::STAR ? ast::ArithmeticOp::Multiply : ast::ArithmeticOp::Divide;
    auto right = factor(parts[i]);
    const auto place = from_to(left.span, right.span);
    left = {.span = place, .kind = ast::Arithmetic{op, std::move(left), std::move(right)}};
  }
  return left;
}

ast::Expr Builder::factor(Grammar::FactorContext* ctx) {
  if (ctx->MINUS() == nullptr) return primary(ctx->primary());
  return {.span = span(ctx), .kind = ast::Negate{factor(ctx->factor())}};
}

ast::Expr Builder::primary(Grammar::PrimaryContext* ctx) {
  const auto place = span(ctx);
  if (auto* it = ctx->path()) return path_expression(it);
  if (auto* it = ctx->literal()) return literal(token(it->getStart()->getTokenIndex()));
  if (auto* it = ctx->text()) return {.span = place, .kind = text(it)};
  if (auto* it = ctx->measure()) return {.span = place, .kind = measure(it)};
  if (auto* it = ctx->list()) return list(it);
  if (auto* it = ctx->call()) {
    ast::Call call{.function = name(it->word()), .arguments = {}};
    for (auto* argument : it->expression()) call.arguments.push_back(expression(argument));
    return {.span = place, .kind = std::move(call)};
  }
  if (auto* it = ctx->expression()) return in_parentheses(it, place);
  return {.span = place, .kind = ast::BoolLiteral{ctx->YES() != nullptr}};
}

ast::Expr Builder::in_parentheses(Grammar::ExpressionContext* ctx, SourceSpan place) {
  auto inner = expression(ctx);
  inner.span = place;
  inner.in_parentheses = true;
  return inner;
}

ast::Expr Builder::amount(Grammar::AmountContext* ctx) {
  if (auto* it = ctx->path()) return path_expression(it);
  if (auto* it = ctx->expression()) return in_parentheses(it, span(ctx));
  return literal(token(ctx->getStart()->getTokenIndex()));
}

// The lexer has reported days and times that do not exist; a value stands in for them.
ast::Expr Builder::literal(const Token& word) {
  const auto place = span(word);
  const auto& text = value(word);
  const auto decimal = [&](std::optional<std::int64_t> millionths) {
    if (!millionths) report(Code::BadNumber, place, {slice(place)});
    return Decimal{millionths.value_or(0)};
  };
  switch (word.kind) {
    case Kind::NUMBER:
      return {.span = place, .kind = ast::NumberLiteral{decimal(parse_scaled(text, 6))}};
    case Kind::PERCENT:
      return {.span = place, .kind = ast::PercentLiteral{decimal(parse_scaled(text, 4))}};
    case Kind::MONEY:
      return {.span = place, .kind = ast::MoneyLiteral{text.substr(4), text.substr(0, 3), place}};
    case Kind::DURATION:
      return {.span = place, .kind = ast::DurationLiteral{duration_value(word), place}};
    case Kind::TIME:
      return {.span = place,
              .kind = ast::TimeLiteral{parse_time_of_day(text).value_or(TimeOfDay{}), place}};
    case Kind::DATE:
      return {.span = place, .kind = ast::DateLiteral{parse_date(text).value_or(Date{}), place}};
    case Kind::LOCAL_TIME:
      return {.span = place,
              .kind = ast::LocalTimeLiteral{parse_local(text).value_or(LocalTime{})}};
    default:
      return {.span = place,
              .kind = ast::InstantLiteral{parse_instant(text).value_or(Timestamp{})}};
  }
}

ast::Expr Builder::value(Grammar::ValueContext* ctx) {
  return ctx->NO() != nullptr ? no(ctx->NO()) : expression(ctx->expression());
}

ast::Expr Builder::list(Grammar::ListContext* ctx) {
  ast::List list;
  for (auto* item : ctx->value()) list.items.push_back(value(item));
  return {.span = span(ctx), .kind = std::move(list)};
}

ast::Expr Builder::path_expression(Grammar::PathContext* ctx) {
  return {.span = span(ctx), .kind = path(ctx)};
}

ast::Path Builder::path(Grammar::PathContext* ctx) {
  ast::Path path{.names = {name(ctx->word())}, .span = span(ctx)};
  for (auto* more : ctx->name()) path.names.push_back(name(more));
  return path;
}

ast::Measure Builder::measure(Grammar::MeasureContext* ctx) {
  ast::Measure measure;
  measure.span = span(ctx);
  switch (token(ctx->aggregate()->getStart()->getTokenIndex()).kind) {
    case Kind::SUM: measure.aggregate = ast::Aggregate::Sum; break;
    case Kind::AVERAGE: measure.aggregate = ast::Aggregate::Average; break;
    case Kind::MIN: measure.aggregate = ast::Aggregate::Min; break;
    case Kind::MAX: measure.aggregate = ast::Aggregate::Max; break;
    case Kind::FIRST: measure.aggregate = ast::Aggregate::First; break;
    case Kind::LAST: measure.aggregate = ast::Aggregate::Last; break;
    case Kind::DISTINCT: measure.aggregate = ast::Aggregate::Distinct; break;
    case Kind::TIME_SINCE_LAST: measure.aggregate = ast::Aggregate::TimeSinceLast; break;
    case Kind::STREAK: measure.aggregate = ast::Aggregate::StreakOfDays; break;
    case Kind::EVER: measure.aggregate = ast::Aggregate::Ever; break;
    case Kind::NEVER: measure.aggregate = ast::Aggregate::Never; break;
    case Kind::MOST_FREQUENT: measure.aggregate = ast::Aggregate::MostFrequent; break;
    case Kind::VALUES: measure.aggregate = ast::Aggregate::Values; break;
    default: measure.aggregate = ast::Aggregate::Count; break;
  }
  if (auto* any = ctx->ANY_EVENT()) {
    measure.any_event = true;
    const auto place = span(token(any));
    measure.event = {.names = {{.text = slice(place), .span = place}}, .span = place};
  } else {
    measure.event = path(ctx->path());
  }
  if (auto* where = ctx->expression()) measure.where = ast::Box<ast::Expr>(expression(where));
  if (auto* window = ctx->window()) {
    measure.window = ast::Window{.span = span(window), .length = {}};
    if (auto* length = window->duration()) {
      measure.window->length = duration(length).value;
    } else {
      measure.window->length = calendar_unit(window->calendarUnit());
    }
  }
  return measure;
}

std::optional<ast::Expr> Builder::sum_if(bool there, const std::vector<Grammar::SumContext*>& sums,
                                         std::size_t& next) {
  if (!there) return std::nullopt;
  return sum(sums[next++]);
}

// --------------------------------------------------------------------------------------- phrases

// "1.5 hour"
Span Builder::duration_value(const Token& word) {
  const std::string_view text = value(word);
  const auto digits = text.substr(0, text.find(' '));
  const auto unit = text.substr(text.find(' ') + 1);
  Span length;
  bool good = false;
  if (unit == "month" || unit == "year") {
    const auto number = parse_scaled(digits, 0);
    const auto months = number ? checked_multiply(*number, unit == "year" ? 12 : 1) : std::nullopt;
    good = months && *months <= longest_months;
    if (good) length.months = static_cast<std::int32_t>(*months);
  } else {
    const std::int64_t unit_seconds = unit == "second"   ? 1
                                      : unit == "minute" ? 60
                                      : unit == "hour"   ? 3'600
                                      : unit == "day"    ? 86'400
                                                         : 604'800;
    const auto millionths = parse_scaled(digits, 6);
    const auto us = millionths ? checked_multiply(*millionths, unit_seconds) : std::nullopt;
    good = us && *us <= longest_us;
    if (good) length.fixed.us = *us;
  }
  if (!good) report(Code::BadDuration, span(word), {slice(span(word))});
  return length;
}

ast::DurationLiteral Builder::duration(Grammar::DurationContext* ctx) {
  const auto& word = token(ctx->DURATION());
  return {.value = duration_value(word), .span = span(word)};
}

ast::TimeLiteral Builder::time(Grammar::TimeContext* ctx) {
  const auto& word = token(ctx->TIME());
  return {.value = parse_time_of_day(value(word)).value_or(TimeOfDay{}), .span = span(word)};
}

std::optional<ast::TimeLiteral> Builder::time_if(Grammar::TimeContext* ctx) {
  if (ctx == nullptr) return std::nullopt;
  return time(ctx);
}

ast::DateLiteral Builder::date(Grammar::DateContext* ctx) {
  const auto& word = token(ctx->DATE());
  return {.value = parse_date(value(word)).value_or(Date{}), .span = span(word)};
}

ast::DateRange Builder::date_range(Grammar::DateRangeContext* ctx) {
  return {.span = span(ctx), .from = date(ctx->date(0)), .to = date(ctx->date(1))};
}

int Builder::weekday(Grammar::WeekdayContext* ctx) {
  return static_cast<int>(token(ctx->getStart()->getTokenIndex()).kind) -
         static_cast<int>(Kind::MONDAY);
}

// The units below a day have no calendar: they are spans.
std::variant<Span, ast::CalendarUnit> Builder::calendar_unit(Grammar::CalendarUnitContext* ctx) {
  switch (token(ctx->getStart()->getTokenIndex()).kind) {
    case Kind::DAY: return ast::CalendarUnit::Day;
    case Kind::WEEK: return ast::CalendarUnit::Week;
    case Kind::MONTH: return ast::CalendarUnit::Month;
    case Kind::YEAR: return ast::CalendarUnit::Year;
    default: return unit_span(ctx);
  }
}

Span Builder::unit_span(Grammar::CalendarUnitContext* ctx) {
  switch (token(ctx->getStart()->getTokenIndex()).kind) {
    case Kind::SECOND: return {.months = 0, .fixed = seconds(1)};
    case Kind::MINUTE: return {.months = 0, .fixed = minutes(1)};
    case Kind::HOUR: return {.months = 0, .fixed = hours(1)};
    case Kind::DAY: return {.months = 0, .fixed = days(1)};
    case Kind::WEEK: return {.months = 0, .fixed = days(7)};
    case Kind::MONTH: return {.months = 1, .fixed = {}};
    default: return {.months = 12, .fixed = {}};
  }
}

ast::Schedule Builder::schedule(Grammar::ScheduleContext* ctx) {
  ast::Schedule schedule{.span = span(ctx), .when = ast::EveryDay{}, .at = time(ctx->time())};
  if (auto* name = ctx->weekday()) {
    schedule.when = ast::EveryWeekday{weekday(name)};
  } else if (auto* ordinal = ctx->ORDINAL()) {
    const auto& word = token(ordinal);
    const auto day = parse_scaled(value(word), 0).value_or(0);
    if (day < 1 || day > 31) report(Code::BadDayOfMonth, span(word), {slice(span(word))});
    schedule.when = ast::EveryMonthDay{day >= 1 && day <= 31 ? static_cast<int>(day) : 1};
  }
  return schedule;
}

ast::Period Builder::period(Grammar::PeriodContext* ctx) {
  ast::Period period{.span = span(ctx), .calendar = ctx->CALENDAR() != nullptr, .length = {}};
  if (auto* length = ctx->duration()) {
    period.length = duration(length).value;
  } else {
    period.length = calendar_unit(ctx->calendarUnit());
  }
  return period;
}

ast::EventPattern Builder::pattern(ast::Name event, bool any, SourceSpan begin,
                                   Grammar::EventTailContext* tail) {
  ast::EventPattern pattern{.span = from_to(begin, span(tail)),
                            .any = any,
                            .event = std::move(event),
                            .as = {},
                            .where = {}};
  if (auto* as = tail->name()) pattern.as = name(as);
  if (auto* where = tail->expression()) pattern.where = expression(where);
  return pattern;
}

ast::EventPattern Builder::pattern(Grammar::EventPatternContext* ctx) {
  if (auto* any = ctx->ANY_EVENT()) {
    const auto place = span(token(any));
    return pattern({.text = slice(place), .span = place}, true, span(ctx), ctx->eventTail());
  }
  return pattern(name(ctx->word()), false, span(ctx), ctx->eventTail());
}

std::vector<ast::Setting> Builder::settings(Grammar::SettingsContext* ctx) {
  std::vector<ast::Setting> all;
  for (auto* each : ctx->setting()) {
    ast::Setting setting{.span = span(each), .name = name(each->label()), .values = {}};
    for (auto* it : each->value()) setting.values.push_back(value(it));
    all.push_back(std::move(setting));
  }
  return all;
}

ast::Gift Builder::gift(Grammar::GiftContext* ctx) {
  ast::Gift gift{.span = span(ctx), .amount = {}, .incentive = name(ctx->name())};
  if (auto* number = ctx->NUMBER()) {
    gift.amount = literal(token(number));
  } else if (auto* amount = ctx->expression()) {
    gift.amount = expression(amount);
    gift.amount->in_parentheses = true;
  }
  return gift;
}

ast::Assignment Builder::assignment(Grammar::AssignmentContext* ctx) {
  return {.span = span(ctx), .target = path(ctx->path()), .value = value(ctx->value())};
}

ast::BudgetClause Builder::budget(Grammar::BudgetClauseContext* ctx) {
  ast::BudgetClause clause{.span = span(ctx), .items = {}};
  for (auto* each : ctx->budgetItem()) {
    ast::BudgetItem item{.span = span(each), .amount = sum(each->sum()), .of = {}, .per = {}};
    for (auto* unit : {each->MESSAGES(), each->ISSUED(), each->DRAWS()}) {
      if (unit != nullptr) item.of = name_of(token(unit));
    }
    if (auto* per = each->period()) item.per = period(per);
    clause.items.push_back(std::move(item));
  }
  return clause;
}

ast::LimitClause Builder::limit(Grammar::LimitClauseContext* ctx) {
  ast::LimitClause clause{.span = span(ctx), .items = {}};
  for (auto* each : ctx->limitItem()) {
    ast::LimitItem item{
        .span = span(each), .amount = sum(each->sum()), .per = path(each->path()), .period = {}};
    if (auto* per = each->period()) item.period = period(per);
    clause.items.push_back(std::move(item));
  }
  return clause;
}

}  // namespace koi::lang
