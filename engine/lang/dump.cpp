#include "lang/dump.h"

#include <array>

namespace koi::lang {
namespace {

using namespace ast;

template <class... Visits>
struct Overloaded : Visits... {
  using Visits::operator()...;
};

std::string in_quotes(std::string_view text) {
  std::string all = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') all += '\\';
    if (c == '\n') {
      all += "\\n";
    } else if (c == '\t') {
      all += "\\t";
    } else {
      all += c;
    }
  }
  return all + "\"";
}

std::string show(const Name& name) {
  return name.keyword.empty() ? name.text : name.text + "=" + std::string(name.keyword);
}
std::string show(const Path& path) {
  std::string all;
  for (const auto& name : path.names) all += (all.empty() ? "" : ".") + show(name);
  return all;
}
std::string show(const PlainText& text) { return in_quotes(text.text); }
std::string show(const TextLiteral& text) {
  std::string all = "(text";
  for (const auto& part : text.parts) {
    if (const auto* chunk = std::get_if<TextChunk>(&part)) {
      all += " " + in_quotes(chunk->text);
    } else {
      all += " " + dump(*std::get<Box<Expr>>(part));
    }
  }
  return all + ")";
}
std::string show(const DurationLiteral& it) { return to_string(it.value); }
std::string show(const TimeLiteral& it) { return to_string(it.value); }
std::string show(const DateLiteral& it) { return to_string(it.value); }
std::string show(const DateRange& it) { return show(it.from) + " to " + show(it.to); }
std::string show(const LocalTime& it) { return to_string(it.date) + " " + to_string(it.time); }

std::string list(const std::vector<Name>& names) {
  std::string all;
  for (const auto& name : names) all += (all.empty() ? "" : ", ") + show(name);
  return all;
}

std::string_view show(CompareOp op) {
  constexpr std::array<std::string_view, 6> signs{"==", "!=", "<", "<=", ">", ">="};
  return signs[static_cast<std::size_t>(op)];
}
std::string_view show(ArithmeticOp op) {
  constexpr std::array<std::string_view, 4> signs{"+", "-", "*", "/"};
  return signs[static_cast<std::size_t>(op)];
}
std::string_view show(Aggregate aggregate) {
  constexpr std::array<std::string_view, 14> words{"count",
                                                   "sum",
                                                   "average",
                                                   "min",
                                                   "max",
                                                   "first",
                                                   "last",
                                                   "distinct",
                                                   "time since last",
                                                   "streak of days with",
                                                   "ever",
                                                   "never",
                                                   "most frequent",
                                                   "values"};
  return words[static_cast<std::size_t>(aggregate)];
}
std::string_view show(CalendarUnit unit) {
  constexpr std::array<std::string_view, 4> words{"day", "week", "month", "year"};
  return words[static_cast<std::size_t>(unit)];
}
std::string_view show(ActionKind kind) {
  constexpr std::array<std::string_view, 16> words{
      "enter", "leave",  "goal", "send", "reply", "give",  "tag",       "untag",
      "set",   "notify", "call", "emit", "start", "claim", "claw back", "redeem"};
  return words[static_cast<std::size_t>(kind)];
}
std::string_view weekday_word(int day) {
  constexpr std::array<std::string_view, 7> words{"monday", "tuesday",  "wednesday", "thursday",
                                                  "friday", "saturday", "sunday"};
  return words[static_cast<std::size_t>(day)];
}
std::string_view show(TypeKind kind) {
  constexpr std::array<std::string_view, 14> words{
      "text",    "number",   "int",   "money", "bool", "time", "date",
      "instant", "duration", "phone", "email", "url",  "code", "enum"};
  return words[static_cast<std::size_t>(kind)];
}

std::string show(const std::variant<Span, CalendarUnit>& length) {
  return std::visit(Overloaded{[](const Span& span) { return to_string(span); },
                               [](CalendarUnit unit) { return std::string(show(unit)); }},
                    length);
}
std::string show(const Period& it) {
  return std::string("per ") + (it.calendar ? "calendar " : "") + show(it.length);
}
std::string show(const Schedule& it) {
  return std::visit(Overloaded{[](const EveryDay&) -> std::string { return "every day"; },
                               [](const EveryWeekday& on) {
                                 return "every " + std::string(weekday_word(on.weekday));
                               },
                               [](const EveryMonthDay& on) {
                                 return "every month on " + std::to_string(on.day);
                               }},
                    it.when) +
         " at " + show(it.at);
}
std::string show(const Measure& it) {
  auto all =
      "(" + std::string(show(it.aggregate)) + " " + (it.any_event ? "any event" : show(it.event));
  if (it.where) all += " where " + dump(**it.where);
  if (it.window) {
    const bool calendar = std::holds_alternative<CalendarUnit>(it.window->length);
    all += (calendar ? " this " : " over ") + show(it.window->length);
  }
  return all + ")";
}
std::string show(const EventPattern& it) {
  auto all = it.any ? std::string("any event") : show(it.event);
  if (it.as) all += " as " + show(*it.as);
  if (it.where) all += " where " + dump(*it.where);
  return all;
}
std::string show(const Gift& it) {
  return (it.amount ? dump(*it.amount) + " " : std::string()) + show(it.incentive);
}
std::string show(const Type& it) {
  std::string all = it.list ? "list of " : "";
  all += show(it.kind);
  if (it.kind == TypeKind::Enum) {
    std::string values;
    for (const auto& value : it.values) {
      values += (values.empty() ? "" : ", ") + show(value.name);
      if (value.alias) values += " " + in_quotes(value.alias->text);
    }
    all += "(" + values + ")";
  }
  return all + (it.optional ? "?" : "");
}
std::string show(const BudgetItem& it) {
  auto all = dump(it.amount);
  if (it.of) all += " " + std::string(it.of->canonical());
  if (it.per) all += " " + show(*it.per);
  return all;
}
std::string show(const LimitItem& it) {
  auto all = dump(it.amount) + " per " + show(it.per);
  if (it.period) all += " " + show(*it.period);
  return all;
}

template <class T>
std::string after(std::string_view word, const std::optional<T>& it) {
  if (!it) return {};
  if constexpr (std::is_same_v<T, Expr>) {
    return " " + std::string(word) + " " + dump(*it);
  } else {
    return " " + std::string(word) + " " + show(*it);
  }
}

class Dumper {
 public:
  std::string all;

  void declaration(const Declaration& it);

 private:
  void line(const std::string& text) { all += std::string(2 * depth_, ' ') + text + "\n"; }
  template <class Visit>
  void inner(Visit visit) {
    ++depth_;
    visit();
    --depth_;
  }
  template <class Decl>
  void head(std::string_view word, const Decl& it, const std::string& more = {}) {
    line(std::string(word) + " " + show(it.name) +
         (it.alias ? " " + in_quotes(it.alias->text) : "") + more);
  }
  template <class Decl, class Visit>
  void clauses(std::string_view word, const Decl& it, Visit visit) {
    head(word, it);
    inner([&] {
      for (const auto& each : it.clauses) std::visit(visit, each);
    });
  }

  void field(const Field& it);
  void assignments(const std::vector<Assignment>& all_of);
  void settings(const std::vector<Setting>& all_of);
  void content(const std::vector<ContentItem>& items);
  void budget(const BudgetClause& it);
  void limit(const LimitClause& it);
  void incentive(const CouponDecl& it);
  void incentive(const RedPacketDecl& it);
  void incentive(const PointsDecl& it);
  void incentive(const PrizeDrawDecl& it);
  void incentive(const ReferralDecl& it);
  void channel(const ChannelDecl& it);
  void policy(const PolicyDecl& it);
  void clause(const CampaignClause& it);
  void campaign(const CampaignDecl& it);
  void trigger(const Trigger& it);
  void event_trigger(const EventTrigger& it);
  void block(std::string_view word, const Block& it);
  void steps(const std::vector<Step>& all_of);
  void step(const Step& it);
  void test(const TestDecl& it);
  void test_line(const TestLine& it);
  void expectation(const std::string& before, const ExpectAction& it);
  void expectation(const std::string& before, const ExpectNothing& it);
  void expectation(const std::string& before, const ExpectClaimed& it);

  std::size_t depth_ = 0;
};

// ------------------------------------------------------------------------------------ vocabulary

void Dumper::field(const Field& it) {
  auto text =
      show(it.name) + (it.alias ? " " + in_quotes(it.alias->text) : "") + ": " + show(it.type);
  if (it.default_value) text += " = " + dump(*it.default_value);
  line("field " + text + (it.is_private ? " private" : ""));
}

void Dumper::assignments(const std::vector<Assignment>& all_of) {
  for (const auto& each : all_of) line("set " + show(each.target) + " = " + dump(each.value));
}

void Dumper::settings(const std::vector<Setting>& all_of) {
  for (const auto& each : all_of) {
    std::string values;
    for (const auto& value : each.values) values += (values.empty() ? "" : ", ") + dump(value);
    line(show(each.name) + ": " + values);
  }
}

void Dumper::content(const std::vector<ContentItem>& items) {
  for (const auto& item : items) {
    std::visit(Overloaded{
                   [&](const ContentTitle& it) { line("title " + show(it.text)); },
                   [&](const ContentBody& it) { line("body " + show(it.text)); },
                   [&](const ContentLink& it) { line("link " + show(it.text)); },
                   [&](const ContentTemplate& it) {
                     line("template " + show(it.id));
                     inner([&] { settings(it.parameters); });
                   },
                   [&](const ContentForChannel& it) {
                     line("for " + list(it.channels));
                     inner([&] { content(it.items); });
                   },
                   [&](const ContentForLanguage& it) {
                     line("language " + show(it.language));
                     inner([&] { content(it.items); });
                   },
               },
               item.kind);
  }
}

void Dumper::budget(const BudgetClause& it) {
  line("budget");
  inner([&] {
    for (const auto& item : it.items) line(show(item));
  });
}

void Dumper::limit(const LimitClause& it) {
  line("limit");
  inner([&] {
    for (const auto& item : it.items) line(show(item));
  });
}

void Dumper::incentive(const CouponDecl& coupon) {
  clauses(
      "coupon", coupon,
      Overloaded{
          [&](const CouponOff& it) {
            line("off " + dump(it.amount) + after("up to", it.up_to) +
                 after("on orders from", it.orders_from) + after("where", it.where));
          },
          [&](const CodesGenerated& it) { line("codes generated " + show(it.pattern)); },
          [&](const CodesFromPool& it) {
            line("codes from pool " + show(it.file) + after("low at", it.low_at));
          },
          [&](const Valid& it) {
            line("valid " + std::visit([](const auto& length) { return show(length); }, it.length));
          },
          [&](const CombineWith& it) { line("combine with " + list(it.names)); },
          [&](const BudgetClause& it) { budget(it); },
          [&](const LimitClause& it) { limit(it); },
      });
}

void Dumper::incentive(const RedPacketDecl& packet) {
  clauses("red_packet", packet,
          Overloaded{
              [&](const FixedAmount& it) { line("amount " + dump(it.amount)); },
              [&](const RandomAmount& it) {
                line("amount random " + dump(it.from) + " to " + dump(it.to) +
                     after("average", it.average));
              },
              [&](const GroupTotal& it) {
                line("total " + dump(it.total) + " split among " + dump(it.among) +
                     (it.by_luck ? " by luck" : " equally") + after("at least", it.at_least));
              },
              [&](const ClaimWithin& it) { line("claim within " + show(it.within)); },
              [&](const PayVia& it) { line("pay via " + show(it.channel)); },
              [&](const Wishes& it) { line("wishes " + show(it.text)); },
              [&](const BudgetClause& it) { budget(it); },
              [&](const LimitClause& it) { limit(it); },
          });
}

void Dumper::incentive(const PointsDecl& points) {
  clauses("points", points,
          Overloaded{
              [&](const PointsExpire& it) { line("expire " + show(it.after)); },
              [&](const PointsPending& it) { line("pending " + show(it.until)); },
              [&](const PointsWorth& it) { line("worth " + dump(it.money)); },
              [&](const BudgetClause& it) { budget(it); },
              [&](const LimitClause& it) { limit(it); },
          });
}

void Dumper::incentive(const PrizeDrawDecl& draw) {
  clauses("prize_draw", draw,
          Overloaded{
              [&](const Prize& it) {
                line("prize " + std::visit([](const auto& what) { return show(what); }, it.what) +
                     " weight " + dump(it.weight) + after("stock", it.stock));
              },
              [&](const BudgetClause& it) { budget(it); },
              [&](const LimitClause& it) { limit(it); },
          });
}

void Dumper::incentive(const ReferralDecl& referral) {
  clauses("referral", referral,
          Overloaded{
              [&](const ReferralLink& it) { line("link " + show(it.text)); },
              [&](const ReferralBind& it) {
                line(std::string("bind ") + (it.first_touch ? "first" : "last") + " touch" +
                     after("within", it.within));
              },
              [&](const ReferralQualify& it) {
                line("qualify when " + show(it.when) + after("within", it.within));
              },
              [&](const ReferralReward& it) {
                std::string whom = it.inviter ? "inviter" : "invitee";
                for (std::size_t i = 0; i < it.above; ++i) whom += " of inviter";
                line("reward " + whom + " give " + show(it.gift) + after("at", it.at));
              },
              [&](const ReferralMilestone& it) {
                line("at " + dump(it.friends) + " friends give " + show(it.gift) + " to " +
                     (it.to_invitee ? "invitee" : "inviter"));
              },
              [&](const ReferralRefuse& it) {
                std::string reasons;
                for (const auto& reason : it.reasons) {
                  std::string words;
                  for (const auto& word : reason.words) {
                    words += (words.empty() ? "" : " ") + std::string(word.canonical());
                  }
                  reasons += (reasons.empty() ? "" : ", ") + words;
                }
                line("refuse " + reasons);
              },
              [&](const ReferralReview& it) {
                line("hold for review when more than " + dump(it.more_than) + " friends within " +
                     show(it.within));
              },
              [&](const ReferralClawBack& it) {
                line("claw back when " + show(it.when) + after("within", it.within));
              },
              [&](const LimitClause& it) { limit(it); },
              [&](const BudgetClause& it) { budget(it); },
          });
}

void Dumper::channel(const ChannelDecl& channel) {
  clauses("channel", channel,
          Overloaded{
              [&](const ChannelClass& it) { line("class " + show(it.name)); },
              [&](const ChannelCost& it) { line("cost " + dump(it.cost)); },
              [&](const ChannelRate& it) {
                line("rate " + dump(it.messages) + " per " + to_string(it.per));
              },
              [&](const ChannelClearedFor& it) { line("cleared for " + list(it.attributes)); },
              [&](const ChannelReachBy& it) { line("reach by " + show(it.identifier)); },
              [&](const ChannelOpen& it) {
                for (const ChannelOpening& each : it.openings)
                  line("open " + to_string(each.lasts.value) + " after " + show(each.event) +
                       after("up to", each.messages));
              },
          });
}

void Dumper::policy(const PolicyDecl& policy) {
  line("policy");
  inner([&] {
    for (const auto& each : policy.clauses) {
      std::visit(Overloaded{
                     [&](const PolicyTimeZone& it) { line("time zone " + show(it.zone)); },
                     [&](const PolicyCurrency& it) { line("currency " + show(it.currency)); },
                     [&](const PolicyQuietHours& it) {
                       line("quiet hours " + show(it.from) + " to " + show(it.to) +
                            (it.drop ? " drop" : " delay"));
                     },
                     [&](const PolicyCap& it) {
                       line("cap " + show(it.of));
                       inner([&] {
                         for (const auto& item : it.items) {
                           std::visit(Overloaded{[&](const CapLimit& cap) {
                                                   line(dump(cap.count) + " " + show(cap.per));
                                                 },
                                                 [&](const CapMore& cap) {
                                                   line(dump(cap.count) + " more for priority " +
                                                        std::string(show(cap.op)) + " " +
                                                        dump(cap.priority));
                                                 }},
                                      item);
                         }
                       });
                     },
                     [&](const PolicyConsent& it) {
                       line(std::string("consent ") + (it.required ? "" : "not ") +
                            "required for " + list(it.classes));
                     },
                     [&](const PolicyLateness& it) { line("lateness " + show(it.value)); },
                     [&](const PolicyCampaigns& it) {
                       line("campaigns");
                       inner([&] {
                         for (const auto& inherited : it.clauses) clause(inherited);
                       });
                     },
                     [&](const LimitClause& it) { limit(it); },
                 },
                 each);
    }
  });
}

// ------------------------------------------------------------------------------------- campaigns

void Dumper::clause(const CampaignClause& each) {
  std::visit(
      Overloaded{
          [&](const ClassClause& it) { line("class " + show(it.name)); },
          [&](const ForClause& it) { line("for " + dump(it.condition)); },
          [&](const EnterClause& it) {
            line(std::string("enter ") + (it.always ? "always" : "once") + after("per", it.per) +
                 after("every", it.every));
          },
          [&](const HoldOutClause& it) { line("hold out " + dump(it.share)); },
          [&](const GoalClause& it) {
            line("goal " + show(it.event) + after("within", it.within));
          },
          [&](const LeaveClause& it) {
            line("leave when " +
                 std::visit(Overloaded{[](const EventPattern& event) { return show(event); },
                                       [](const Expr& condition) { return dump(condition); }},
                            it.when));
          },
          [&](const BudgetClause& it) { budget(it); },
          [&](const FromToClause& it) { line("from " + show(it.range)); },
          [&](const PriorityClause& it) { line("priority " + dump(it.value)); },
      },
      each);
}

void Dumper::campaign(const CampaignDecl& it) {
  head("campaign", it);
  inner([&] {
    for (const auto& each : it.clauses) clause(each);
    for (const auto& group : it.groups) {
      for (const auto& each : group.triggers) trigger(each);
      inner([&] { steps(group.steps); });
    }
  });
}

void Dumper::event_trigger(const EventTrigger& it) {
  line("when " + show(it.event));
  inner([&] {
    for (const auto& part : it.then) {
      line("then " + show(part.event) + after("within", part.within));
      inner([&] {
        for (const auto& absent : part.without) line("without " + show(absent));
      });
    }
    for (const auto& absent : it.absent) line("and no " + show(absent));
    if (it.within) line("within " + show(*it.within));
  });
}

void Dumper::trigger(const Trigger& each) {
  std::visit(
      Overloaded{
          [&](const EventTrigger& it) { event_trigger(it); },
          [&](const ReachesTrigger& it) {
            line("when " + dump(it.value) + " reaches " + dump(it.threshold));
          },
          [&](const EntersTrigger& it) { line("when enters " + dump(it.condition)); },
          [&](const LeavesTrigger& it) { line("when leaves " + dump(it.condition)); },
          [&](const CalledTrigger&) { line("when called"); },
          [&](const AtTrigger& it) { line("at " + dump(it.at) + after("for", it.condition)); },
          [&](const ScheduleTrigger& it) { line(show(it.schedule) + after("for", it.condition)); },
          [&](const DateTrigger& it) {
            const std::string offset =
                it.offset ? show(*it.offset) + (it.before ? " before " : " after ") : "on ";
            line(offset + show(it.date) + after("at", it.at) + after("for", it.condition));
          },
      },
      each);
}

void Dumper::block(std::string_view word, const Block& it) {
  line(std::string(word));
  inner([&] { steps(it.steps); });
}

void Dumper::steps(const std::vector<Step>& all_of) {
  for (const auto& each : all_of) step(each);
}

void Dumper::step(const Step& each) {
  std::visit(
      Overloaded{
          [&](const SendStep& it) {
            line("send " + show(it.content) + " via " + list(it.channels) +
                 after("within", it.within) + after("or wait up to", it.or_wait));
          },
          [&](const ReplyStep& it) {
            line("reply " + show(it.content) + " to " + show(it.to) + after("within", it.within));
          },
          [&](const GiveStep& it) {
            line("give " + show(it.gift) + (it.to_inviter ? " to inviter" : "") +
                 (it.or_what_is_left ? " or what is left" : ""));
            inner([&] {
              if (it.otherwise) block("else", *it.otherwise);
            });
          },
          [&](const ClawBackStep& it) { line("claw back " + show(it.incentive)); },
          [&](const TakeStep& it) {
            line("take " + show(it.gift));
            inner([&] {
              if (it.then) block("then", *it.then);
              if (it.otherwise) block("else", *it.otherwise);
            });
          },
          [&](const WaitStep& it) { line("wait " + show(it.length)); },
          [&](const WaitUntilStep& it) {
            line("wait until " +
                 std::visit(Overloaded{[](const TimeLiteral& at) { return show(at); },
                                       [](const WeekdayTime& at) {
                                         return std::string(weekday_word(at.weekday)) + " " +
                                                show(at.at);
                                       },
                                       [](const Moment& at) {
                                         const std::string offset =
                                             at.offset ? show(*at.offset) +
                                                             (at.before ? " before " : " after ")
                                                       : "";
                                         return offset + dump(at.anchor) + after("at", at.at);
                                       }},
                            it.until));
          },
          [&](const WaitForStep& it) {
            line("wait for " + show(it.event) + " up to " + show(it.up_to));
            inner([&] {
              if (it.then) block("then", *it.then);
              if (it.otherwise) block("else", *it.otherwise);
            });
          },
          [&](const IfStep& it) {
            for (const auto& branch : it.branches) {
              block((&branch == &it.branches.front() ? "if " : "else if ") + dump(branch.condition),
                    branch.block);
            }
            if (it.otherwise) block("else", *it.otherwise);
          },
          [&](const SplitStep& it) {
            line("split");
            inner([&] {
              for (const auto& arm : it.arms) {
                block(dump(arm.share) + (arm.name ? " " + show(*arm.name) : ""), arm.block);
              }
            });
          },
          [&](const ChooseStep& it) {
            line("choose first");
            inner([&] {
              for (const auto& branch : it.branches) {
                block("when " + dump(branch.condition), branch.block);
              }
              if (it.otherwise) block("else", *it.otherwise);
            });
          },
          [&](const TagStep& it) { line((it.remove ? "untag " : "tag ") + show(it.tag)); },
          [&](const SetStep& it) { assignments(it.assignments); },
          [&](const EmitStep& it) {
            line("emit " + show(it.event));
            inner([&] { settings(it.fields); });
          },
          [&](const NotifyStep& it) {
            line("notify " + show(it.team) + " " + show(it.text) + after("within", it.within));
          },
          [&](const CallStep& it) {
            line("call " + show(it.webhook));
            inner([&] { settings(it.fields); });
          },
          [&](const StartStep& it) { line("start " + show(it.campaign)); },
          [&](const RepeatStep& it) {
            block("repeat every " + show(it.every) + " at most " + dump(it.at_most) + " times",
                  it.block);
          },
          [&](const StopStep&) { line("stop"); },
      },
      each.kind);
}

// ----------------------------------------------------------------------------------------- tests

void Dumper::expectation(const std::string& before, const ExpectNothing& it) {
  line(before + "expect nothing" + (it.more ? " more" : ""));
}

void Dumper::expectation(const std::string& before, const ExpectClaimed& it) {
  line(before + "expect claimed " + show(it.incentive) + after("total", it.total) +
       after("each from", it.each_from) + after("to", it.each_to));
}

void Dumper::expectation(const std::string& before, const ExpectAction& it) {
  auto text = before + "expect" + (it.no ? " no" : "") + (it.refuse ? " refuse" : "") + " " +
              std::string(show(it.action));
  if (it.count) text += " " + dump(*it.count);
  if (it.what) text += " " + show(*it.what);
  if (it.text) text += " " + show(*it.text);
  text += after("to", it.customer) + after("via", it.via) + after("because", it.because) +
          after("amount from", it.amount_from) + after("to", it.amount_to);
  line(text);
}

void Dumper::test_line(const TestLine& each) {
  std::visit(Overloaded{
                 [&](const GivenCustomer& it) {
                   line("given customer " + show(it.customer));
                   inner([&] { settings(it.settings); });
                 },
                 [&](const GivenFailure& it) {
                   line("given " + show(it.channel) + " fails with " + show(it.reason));
                 },
                 [&](const GivenCodes& it) {
                   std::string codes;
                   for (const PlainText& code : it.codes)
                     codes += (codes.empty() ? "" : ", ") + show(code);
                   line("given codes from pool " + show(it.pool) + " [" + codes + "]");
                 },
                 [&](const AtLine& it) {
                   const auto at = "at " + dump(it.at) + " ";
                   if (!it.act) return line("at " + dump(it.at));
                   std::visit(Overloaded{
                                  [&](const TestEvent& act) {
                                    line(at + (act.everyone ? "everyone" : show(act.customer)) +
                                         " " + show(act.event));
                                    inner([&] { settings(act.fields); });
                                  },
                                  [&](const TestGetsLink& act) {
                                    line(at + show(act.customer) + " gets link " +
                                         show(act.referral) + " as " + show(act.as));
                                  },
                                  [&](const TestClaims& act) {
                                    line(at + dump(act.count) + " customers claim " +
                                         show(act.incentive) + " of " + show(act.of));
                                  },
                                  [&](const TestRedeem& act) {
                                    constexpr std::array<std::string_view, 3> deeds{
                                        "redeem", "lock", "roll back"};
                                    line(at +
                                         std::string(deeds[static_cast<std::size_t>(act.deed)]) +
                                         " " + show(act.coupon) + " of " + show(act.of));
                                    inner([&] { settings(act.settings); });
                                  },
                                  [&](const auto& expected) { expectation(at, expected); },
                              },
                              *it.act);
                 },
                 [&](const UntilLine& it) { line("until " + dump(it.until)); },
                 [&](const ExpectLine& it) {
                   std::visit([&](const auto& expected) { expectation("", expected); }, it.expect);
                 },
             },
             each);
}

void Dumper::test(const TestDecl& it) {
  line("test " + show(it.name));
  inner([&] {
    for (const auto& each : it.lines) test_line(each);
  });
}

void Dumper::declaration(const Declaration& declared) {
  std::visit(
      Overloaded{
          [&](const EventDecl& it) {
            head("event", it, it.to_everyone ? " to everyone" : "");
            inner([&] {
              for (const auto& each : it.fields) field(each);
            });
          },
          [&](const CustomerDecl& it) {
            line(std::string("customer") + (it.alias ? " " + in_quotes(it.alias->text) : ""));
            inner([&] {
              for (const auto& item : it.items) {
                std::visit(
                    Overloaded{[&](const Field& each) { field(each); },
                               [&](const IdentifyBy& by) { line("identify by " + list(by.names)); },
                               [&](const OnEvent& on) {
                                 line("on " + show(on.event));
                                 inner([&] { assignments(on.assignments); });
                               }},
                    item);
              }
            });
          },
          [&](const MetricDecl& it) { head("metric", it, " = " + show(it.measure)); },
          [&](const SegmentDecl& it) { head("segment", it, " when " + dump(it.when)); },
          [&](const LetDecl& it) { head("let", it, " = " + dump(it.value)); },
          [&](const TierDecl& it) {
            head("tier", it,
                 " by " + dump(it.by) + after("among", it.among) +
                     (it.quintiles ? " into quintiles" : "") + after("refreshed", it.refreshed));
            inner([&] {
              for (const auto& level : it.levels) {
                line(
                    show(level.name) + (level.alias ? " " + in_quotes(level.alias->text) : "") +
                    ": " +
                    std::visit(
                        Overloaded{[](const TopShare& top) { return "top " + dump(top.share); },
                                   [](const NextShare& next) { return "next " + dump(next.share); },
                                   [](const TheRest&) -> std::string { return "the rest"; }},
                        level.share));
              }
            });
          },
          [&](const AudienceDecl& it) {
            head("audience", it, " from " + show(it.file) + " by " + show(it.by));
          },
          [&](const ContentDecl& it) {
            head("content", it);
            inner([&] { content(it.items); });
          },
          [&](const CouponDecl& it) { incentive(it); },
          [&](const RedPacketDecl& it) { incentive(it); },
          [&](const PointsDecl& it) { incentive(it); },
          [&](const PrizeDrawDecl& it) { incentive(it); },
          [&](const ReferralDecl& it) { incentive(it); },
          [&](const ChannelDecl& it) { channel(it); },
          [&](const TeamDecl& it) { head("team", it); },
          [&](const WebhookDecl& it) { head("webhook", it); },
          [&](const PolicyDecl& it) { policy(it); },
          [&](const CampaignDecl& it) { campaign(it); },
          [&](const TestDecl& it) { test(it); },
      },
      declared);
}

std::string joined(std::string_view word, const std::vector<Expr>& operands) {
  std::string all = "(" + std::string(word);
  for (const auto& each : operands) all += " " + dump(each);
  return all + ")";
}

}  // namespace

std::string dump(const Expr& expression) {
  return std::visit(
      Overloaded{
          [](const TextLiteral& it) { return show(it); },
          [](const NumberLiteral& it) { return to_string(it.value); },
          [](const PercentLiteral& it) { return "(percent " + to_string(it.value) + ")"; },
          [](const MoneyLiteral& it) { return it.currency + " " + it.amount; },
          [](const DurationLiteral& it) { return "(" + show(it) + ")"; },
          [](const TimeLiteral& it) { return show(it); },
          [](const DateLiteral& it) { return show(it); },
          [](const LocalTimeLiteral& it) { return "(" + show(it.value) + ")"; },
          [](const InstantLiteral& it) { return to_string(it.value, utc()); },
          [](const BoolLiteral& it) -> std::string { return it.value ? "yes" : "no"; },
          [](const Path& it) { return show(it); },
          [](const Not& it) { return "(not " + dump(*it.operand) + ")"; },
          [](const Negate& it) { return "(- " + dump(*it.operand) + ")"; },
          [](const And& it) { return joined("and", it.operands); },
          [](const Or& it) { return joined("or", it.operands); },
          [](const Compare& it) {
            return "(" + std::string(show(it.op)) + " " + dump(*it.left) + " " + dump(*it.right) +
                   ")";
          },
          [](const Arithmetic& it) {
            return "(" + std::string(show(it.op)) + " " + dump(*it.left) + " " + dump(*it.right) +
                   ")";
          },
          [](const In& it) {
            return std::string(it.negated ? "(not in " : "(in ") +
                   (it.left ? dump(**it.left) + " " : "") + dump(*it.right) + ")";
          },
          [](const Contains& it) {
            return std::string(it.any_of ? "(contains any of " : "(contains ") + dump(*it.left) +
                   " " + dump(*it.right) + ")";
          },
          [](const Known& it) {
            return std::string(it.known ? "(is known " : "(is missing ") + dump(*it.operand) + ")";
          },
          [](const Call& it) { return joined("call " + show(it.function), it.arguments); },
          [](const List& it) { return joined("list", it.items); },
          [](const Measure& it) { return show(it); },
      },
      expression.kind);
}

std::string dump(const ast::File& file) {
  Dumper dumper;
  for (const auto& each : file.declarations) dumper.declaration(each);
  return std::move(dumper.all);
}

}  // namespace koi::lang
