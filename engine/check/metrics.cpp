// Metrics, segments and lets.
#include "check/detail/checker.h"
#include "check/functions.h"

namespace koi::check {

// The type of the aggregate's value; nothing where it has no meaning for the field.
std::optional<Type> Checker::metric_type(const ast::Measure& measure, EventTypeId event,
                                         FieldId field) {
  const auto words = form_of(measure.aggregate);
  Type of;
  if (!field.is_none()) {
    of = field.index() == event_time ? simple(Kind::Instant)
                                     : program_.schema[event].fields[field.index()].type;
  }
  const Kind kind = of.kind;
  const auto meaningless = [&]() -> std::optional<Type> {
    report(Code::AggregateWithoutMeaning, measure.event.span, {word(words.words), describe(of)});
    return std::nullopt;
  };
  Type optional = of;
  optional.optional = true;
  switch (words.aggregate) {
    case Aggregate::Count:
    case Aggregate::Distinct:
      if (kind == Kind::List) return meaningless();
      return simple(Kind::Int);
    case Aggregate::Streak: return simple(Kind::Int);
    case Aggregate::Ever:
    case Aggregate::Never: return simple(Kind::Bool);
    case Aggregate::TimeSinceLast: return simple(Kind::Duration, true);
    case Aggregate::Sum:
    case Aggregate::Average:
      if (kind != Kind::Int && kind != Kind::Number && kind != Kind::Money &&
          kind != Kind::Duration)
        return meaningless();
      if (words.aggregate == Aggregate::Sum) return simple(kind);
      return simple(kind == Kind::Int ? Kind::Number : kind, true);
    case Aggregate::Min:
    case Aggregate::Max:
      if (kind == Kind::Text || kind == Kind::Bool || kind == Kind::Enum || kind == Kind::List)
        return meaningless();
      return optional;
    case Aggregate::First:
    case Aggregate::Last: return optional;
    case Aggregate::MostFrequent:
      if (kind == Kind::List) return meaningless();
      return optional;
    case Aggregate::Values: {
      if (kind == Kind::List) return meaningless();
      Type list = simple(Kind::List);
      list.element = kind;
      list.element_text = of.text;
      list.enumeration = of.enumeration;
      return list;
    }
  }
  KOI_ASSERT(false);
}

MetricId Checker::measure(const ast::Measure& measure, Symbol symbol) {
  const auto words = form_of(measure.aggregate);
  Metric out;
  out.symbol = std::move(symbol);
  out.span = measure.span;
  out.aggregate = words.aggregate;
  bool ok = true;

  std::string event_name;  // none declared is empty: any event
  std::vector<std::string> spellings;
  if (!measure.any_event) {
    const auto* declared = expect_own_event(measure.event.names.front());
    if (declared == nullptr) {
      ok = false;
    } else {
      out.events.type = EventTypeId::of(declared->index);
      event_name = declared->symbol.name;
      spellings = {declared->symbol.name, declared->symbol.alias};
    }
  }
  const auto& names = measure.event.names;
  const bool has_field = !measure.any_event && names.size() > 1;
  if (names.size() > 2 && !measure.any_event) {
    report(Code::NoParts, names[2].span, {names[1].text});
    ok = false;
  }
  if (words.needs_field && !has_field) {
    report(Code::AggregateNeedsField, measure.span, {word(words.words)});
    ok = false;
  } else if (!words.needs_field && has_field) {
    report(Code::AggregateTakesNoField, names[1].span, {word(words.words)});
    ok = false;
  } else if (has_field && ok) {
    out.field = find_field(out.events.type, names[1]);
    if (out.field.is_none()) {
      suggest(report(Code::NoField, names[1].span, {event_name, names[1].text}), names[1].text,
              field_names(out.events.type));
      ok = false;
    }
  }
  if (measure.where) {
    Scope scope;
    scope.place = Scope::Place::MetricWhere;
    scope.has_event = true;
    scope.event_poisoned = !ok && !measure.any_event && out.events.type.is_none();
    scope.event = out.events.type;
    scope.event_names = spellings;
    out.events.where = condition(**measure.where, scope);
    always_the_same(out.events.where, (*measure.where)->span);
    ok = ok && !is_poison(out.events.where);
  }
  if (measure.window) {
    const auto& window = *measure.window;
    if (const auto* span = std::get_if<Span>(&window.length)) {
      out.window = {WindowKind::Trailing, *span};
      if (span->months == 0 && span->fixed.us <= 0) {
        report(Code::ZeroLength, window.span, {say("a window", "时间窗口")});
        ok = false;
      }
    } else {
      switch (std::get<ast::CalendarUnit>(window.length)) {
        case ast::CalendarUnit::Day: out.window.kind = WindowKind::ThisDay; break;
        case ast::CalendarUnit::Week: out.window.kind = WindowKind::ThisWeek; break;
        case ast::CalendarUnit::Month: out.window.kind = WindowKind::ThisMonth; break;
        case ast::CalendarUnit::Year: out.window.kind = WindowKind::ThisYear; break;
      }
    }
    if (words.aggregate == Aggregate::Streak) {
      report(Code::StreakWithWindow, window.span);
      ok = false;
    }
  }
  if (!ok) return MetricId::none();
  const auto of = metric_type(measure, out.events.type, out.field);
  if (!of) return MetricId::none();
  out.type = *of;
  const bool keeps_all = words.aggregate == Aggregate::Distinct ||
                         words.aggregate == Aggregate::Values ||
                         words.aggregate == Aggregate::MostFrequent;
  const Kind field_kind =
      out.field.is_none() ? Kind::Missing
                          : program_.schema[out.events.type].fields[out.field.index()].type.kind;
  if (keeps_all && out.window.kind == WindowKind::Lifetime && field_kind != Kind::Enum &&
      field_kind != Kind::Bool)
    report(Code::UnboundedHistory, measure.span, {word(words.words)});

  HashInput hash;
  hash.text(event_name).text(words.words);
  hash.text(out.field.is_none()
                ? std::string()
                : program_.schema[out.events.type].fields[out.field.index()].symbol.name);
  hash.number(static_cast<std::uint64_t>(field_kind));
  if (out.events.where.is_none()) {
    hash.text("");
  } else {
    const auto where = program_[out.events.where].definition;
    hash.text("where").number(where.high).number(where.low);
  }
  hash.number(static_cast<std::uint64_t>(out.window.kind));
  hash.number(static_cast<std::uint64_t>(out.window.span.months));
  hash.number(static_cast<std::uint64_t>(out.window.span.fixed.us));
  out.definition = hash.hash128();

  const auto [known, is_new] =
      metric_by_definition_.emplace(out.definition, MetricId::of(program_.metrics.size()));
  if (is_new) {
    program_.metrics.push_back(std::move(out));
  } else if (!out.symbol.name.empty() &&
             program_.metrics[known->second.index()].symbol.name.empty()) {
    program_.metrics[known->second.index()].symbol = out.symbol;
  }
  return known->second;
}

void Checker::metric(std::size_t index) {
  const auto& decl = *metrics_[index];
  metric_ids_[index] =
      measure(decl.measure, {decl.name.text, decl.alias ? decl.alias->text : std::string()});
}

void Checker::segment(std::size_t index) {
  const auto& decl = *segments_[index];
  const ExpressionId id = condition(decl.when, {});
  if (is_poison(id)) return;
  always_the_same(id, decl.when.span);
  program_.segments[index].condition = id;
}

void Checker::let(std::size_t index) { let_ids_[index] = expression(lets_[index]->value, {}); }

}  // namespace koi::check
