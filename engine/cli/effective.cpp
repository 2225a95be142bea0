#include "cli/effective.h"

#include <algorithm>

#include "check/effective.h"
#include "check/worst_case.h"
#include "compile/compile.h"
#include "core/codec.h"
#include "core/state.h"

namespace koi::cli {
namespace {

namespace ast = lang::ast;

// A value as large as most of its kind are: a text of sixteen letters, an amount of a few hundred.
Value typical(Kind kind) {
  switch (kind) {
    case Kind::Text: return Value::text("sixteen letters.");
    case Kind::Money: return Value::money(25'900);
    case Kind::Int: return Value::integer(100);
    case Kind::Number: return Value::number(Decimal::of(100));
    case Kind::Bool: return Value::boolean(true);
    case Kind::Instant: return Value::instant(Timestamp{1'772'448'000'000'000});
    case Kind::Duration: return Value::duration(days(30));
    case Kind::Date: return Value::date(Date{20'513});
    case Kind::Time: return Value::time(TimeOfDay{hours(9).us});
    case Kind::List:
      return Value::list({Value::text("sixteen letters."), Value::text("sixteen letters.")});
    default: return Value::integer(1);
  }
}

// What is kept of one customer, measured in the bytes that are stored of him.
class Weighing {
 public:
  explicit Weighing(const plan::Plan& plan)
      : plan_(plan), codec_(plan), empty_(core::new_customer(plan, "c")) {
    empty_.created = empty_.clock = Timestamp{1'772'448'000'000'000};
  }

  std::size_t base() const { return codec_.encode(empty_).size(); }

  template <class Change>
  std::size_t more(Change change) const {
    core::State state = empty_;
    change(state);
    const std::size_t with = codec_.encode(state).size();
    return with > base() ? with - base() : 0;
  }

  std::size_t accumulated(plan::AccumulatorId id, bool one_value) const {
    const plan::Accumulator& of = plan_.accumulators[id.index()];
    return more([&](core::State& state) {
      core::Accumulated& kept = state.accumulators.at(id.index());
      kept.count = 100;
      kept.time = state.clock;
      if (of.aggregate == plan::Aggregate::Distinct) {
        if (one_value) kept.seen.push_back({typical(kind_of(of)), 3, state.clock, 7});
      } else if (of.aggregate == plan::Aggregate::Streak) {
        kept.runs.push_back({Date{20'513}, Date{20'521}});
      } else if (of.aggregate != plan::Aggregate::Count && !of.field.is_none()) {
        kept.value = typical(kind_of(of));
      }
    });
  }
  std::size_t logged(plan::LogId id, std::size_t events) const {
    const plan::Log& of = plan_.logs[id.index()];
    return more([&](core::State& state) {
      core::Logged& kept = state.logs.at(id.index());
      for (std::size_t i = 0; i < events; ++i) {
        kept.times.push_back(state.clock + hours(static_cast<std::int64_t>(i)));
        for (const FieldId column : of.columns)
          kept.values.push_back(
              typical(plan_.schema[of.events.type].fields[column.index()].type.kind));
      }
    });
  }
  std::size_t journey(plan::CampaignId id) const {
    const plan::Campaign& of = plan_.campaigns[id.index()];
    return more([&](core::State& state) {
      core::Journey journey;
      journey.campaign = id;
      journey.key = 1;
      journey.id = {1, 2};
      journey.entered = journey.since = state.clock;
      journey.due = state.clock + days(1);
      journey.frame.resize(of.frame_size);
      for (Value& value : journey.frame) value = Value::text("sixteen letters.");
      state.journeys.push_back(std::move(journey));
    });
  }
  std::size_t entry(plan::CampaignId id) const {
    return more([&](core::State& state) { state.entries.push_back({id, 1, state.clock}); });
  }

 private:
  Kind kind_of(const plan::Accumulator& of) const {
    return of.field.is_none() || of.events.type.is_none()
               ? Kind::Int
               : plan_.schema[of.events.type].fields[of.field.index()].type.kind;
  }

  const plan::Plan& plan_;
  core::Codec codec_;
  core::State empty_;
};

std::string bytes(const plan::Plan& plan, bool chinese) {
  const Weighing weighing(plan);
  const auto say = [&](const char* english, const char* in_chinese) {
    return std::string(chinese ? in_chinese : english);
  };
  const auto b = [&](std::size_t n) {
    return std::to_string(n) + (chinese ? " 字节" : n == 1 ? " byte" : " bytes");
  };
  std::string out = say("kept for each customer (texts taken as sixteen letters)\n",
                        "为每个顾客保存（文本按十六个字母计）\n");
  out += "  " + say("the customer himself: ", "顾客本身：") + b(weighing.base()) + "\n";
  std::vector<bool> told_accumulators(plan.accumulators.size()), told_logs(plan.logs.size());
  for (const plan::Metric& metric : plan.metrics) {
    out += "  " + say("metric `", "指标 `") +
           (metric.symbol.name.empty() ? say("in a condition", "写在条件里") : metric.symbol.name) +
           say("`: ", "`：");
    const bool lifetime = metric.window.kind == plan::WindowKind::Lifetime;
    auto told =
        lifetime ? told_accumulators[metric.accumulator.index()] : told_logs[metric.log.index()];
    if (told) {
      out += say("nothing of its own, what another metric keeps serves it too\n",
                 "不另存，与别的指标共用\n");
      continue;
    }
    told = true;
    if (!lifetime) {
      const std::size_t two = weighing.logged(metric.log, 2),
                        three = weighing.logged(metric.log, 3);
      const auto kept = plan.logs[metric.log.index()].retention;
      out += b(three - two) + say(" for each event of the last ", "，最近 ") +
             std::to_string(kept.fixed.us / days(1).us) + say(" days\n", " 天内每个事件\n");
      continue;
    }
    const bool distinct =
        plan.accumulators[metric.accumulator.index()].aggregate == plan::Aggregate::Distinct;
    const std::size_t fixed = weighing.accumulated(metric.accumulator, false);
    out += b(fixed);
    if (distinct)
      out += say(" and ", "，另加每个不同的值 ") +
             b(weighing.accumulated(metric.accumulator, true) - fixed) +
             say(" for each different value", "");
    out += "\n";
  }
  for (std::size_t i = 0; i < plan.campaigns.size(); ++i) {
    const plan::Campaign& campaign = plan.campaigns[i];
    const auto id = plan::CampaignId::of(i);
    out += "  " + say("campaign `", "活动 `") + campaign.symbol.name + say("`: ", "`：") +
           b(weighing.journey(id)) + say(" while he is in it", "（进行中）");
    if (campaign.enter.how != plan::Enter::How::Always)
      out += say(", and ", "，之后保留 ") + b(weighing.entry(id)) +
             (campaign.enter.key.is_none() ? say(" afterwards", "")
                                           : say(" afterwards for each key", "（每个不同的键）"));
    out += "\n";
  }
  return out;
}

// What it may cost at worst, by the limits and budgets alone.
std::string at_worst(const check::Program& program, bool chinese) {
  if (program.incentives.empty()) return {};
  const auto say = [&](const char* english, const char* in_chinese) {
    return std::string(chinese ? in_chinese : english);
  };
  const auto money = [&](std::optional<std::int64_t> minor) {
    return minor ? program.policy.currency_sign +
                       scaled_to_string(*minor, program.schema.currency_decimals)
                 : say("without end", "无上限");
  };
  const auto both = [&](std::optional<std::int64_t> day, std::optional<std::int64_t> ever) {
    return money(day) + say(" a day, ", "/天，共 ") + money(ever) + say(" in all", "");
  };
  const check::Per day{check::Per::Kind::Day, {}}, ever;
  std::string out = say("what may be given at worst\n", "最坏情况下的发放\n");
  for (const check::Incentive& each : program.incentives) {
    if (std::holds_alternative<check::PrizeDraw>(each.what)) continue;  // its prizes say it
    out += "  `" + each.symbol.name + say("`: to one customer ", "`：每位顾客 ") +
           both(worst_case_of_customer(program, each, day),
                worst_case_of_customer(program, each, ever)) +
           say("; to everybody ", "；全部顾客 ") +
           both(worst_case_of_all(each, day), worst_case_of_all(each, ever)) + "\n";
  }
  return out + "\n";
}

}  // namespace

std::string effective(const LoadedProgram& program, Language language) {
  const bool chinese = language == Language::Chinese;
  const auto place = [&](SourceSpan span) {
    const Source& source = program.sources[span.source];
    return source.path() + ":" + std::to_string(source.position(span.begin).line);
  };
  std::string out;
  const auto* policy = check::find_policy(program.trees);
  for (const auto& file : program.trees) {
    for (const auto& declaration : file.declarations) {
      const auto* campaign = std::get_if<ast::CampaignDecl>(&declaration);
      if (campaign == nullptr) continue;
      out += (chinese ? "活动 " : "campaign ") + campaign->name.text;
      if (campaign->alias) out += " \"" + campaign->alias->text + "\"";
      out += "  (" + place(campaign->name.span) + ")\n";
      const auto clauses = check::effective_clauses(*campaign, policy, program.sources, language);
      for (const auto& clause : clauses) {
        using From = check::EffectiveClause::From;
        out += "  " + clause.text;
        const int width = display_width(clause.text);
        const auto column = [&] {
          return std::string(static_cast<std::size_t>(std::max(2, 56 - width)), ' ') + "# ";
        };
        if (clause.from == From::Policy)
          out += column() + (chinese ? "来自总则 " : "from the policy, ") + place(clause.span);
        if (clause.from == From::Silence) out += column() + (chinese ? "未写明" : "not said");
        out += "\n";
      }
      out += "\n";
    }
  }
  return out + at_worst(program.program, chinese) +
         bytes(compile::compile(program.program, 1), chinese);
}

}  // namespace koi::cli
