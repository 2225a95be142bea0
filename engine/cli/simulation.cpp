#include "cli/simulation.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "base/decimal.h"
#include "runtime/tables.h"

namespace koi::cli {

namespace {

using runtime::Decided;
using runtime::grouped;
using Row = std::vector<std::string>;
using Wording = std::pair<const char*, const char*>;  // English, Chinese

constexpr std::size_t most_names = 10;

class Telling {
 public:
  Telling(const Simulation& what, Language language) : what_(what), language_(language) {}

  std::string all() {
    head();
    campaigns();
    reasons();
    channels();
    reach();
    budgets();
    differences();
    notes();
    return std::move(out_);
  }

 private:
  std::string say(Wording words) const {
    return language_ == Language::Chinese ? words.second : words.first;
  }
  std::string title_of(const Symbol& symbol) const {
    return language_ == Language::Chinese && !symbol.alias.empty() ? symbol.alias : symbol.name;
  }
  const Decided& live() const { return what_.comparison.live; }
  const Decided& next() const { return what_.comparison.next; }
  const Zone& zone() const { return *what_.next.policy.zone; }

  // One text where both say the same.
  static std::string both(const std::string& live, const std::string& next) {
    return live == next ? live : live + " → " + next;
  }
  static std::string both(std::uint64_t live, std::uint64_t next) {
    return both(grouped(live), grouped(next));
  }
  void table(const std::vector<Row>& rows) {
    if (rows.size() > 1) out_ += runtime::table(rows) + "\n";
  }

  void head() {
    const runtime::Summary& run = what_.of_next;
    out_ += say({"Recorded events", "已记录事件"}) + " " + grouped(what_.recorded.events) + " · " +
            say({"customers", "顾客"}) + " " + grouped(run.customers);
    if (run.events > 0)
      out_ += " · " + to_string(run.first, zone()) + " – " + to_string(run.last, zone());
    out_ += "\n" + say({"Live rules", "现行规则"}) + " " + to_hex(what_.recorded.bundle) + " " +
            say({"since", "自"}) + " " + to_string(what_.recorded.since, zone()) + "\n" +
            say({"Figures: live → new; one figure where both are the same.",
                 "数字：现行 → 新；相同时只列一个。"}) +
            "\n\n";
  }

  // All names of both programs, those of the new one first, with what each calls them.
  template <class Named>
  static std::vector<const Named*> of_both(const std::vector<Named>& next,
                                           const std::vector<Named>& live) {
    std::vector<const Named*> all;
    for (const auto* const each : {&next, &live})
      for (const Named& one : *each)
        if (std::none_of(all.begin(), all.end(),
                         [&](const Named* known) { return known->symbol.name == one.symbol.name; }))
          all.push_back(&one);
    return all;
  }
  template <class Named>
  static bool has(const std::vector<Named>& all, const std::string& name) {
    return std::any_of(all.begin(), all.end(),
                       [&](const Named& each) { return each.symbol.name == name; });
  }

  template <class Named>
  void add_campaigns(const std::vector<Named>& next_has, const std::vector<Named>& live_has,
                     std::vector<Row>& rows) {
    for (const Named* const each : of_both(next_has, live_has)) {
      const std::string& name = each->symbol.name;
      const auto figures_of = [&](const Decided& decided) {
        const auto found = decided.campaigns.find(name);
        return found == decided.campaigns.end() ? Decided::Campaign() : found->second;
      };
      const Decided::Campaign one = figures_of(live()), other = figures_of(next());
      const bool in_live = has(live_has, name), in_next = has(next_has, name);
      Row row{title_of(each->symbol)};
      for (const auto figure :
           {&Decided::Campaign::customers, &Decided::Campaign::entered, &Decided::Campaign::sent,
            &Decided::Campaign::given, &Decided::Campaign::goals, &Decided::Campaign::refused})
        row.push_back(
            both(in_live ? grouped(one.*figure) : "–", in_next ? grouped(other.*figure) : "–"));
      rows.push_back(std::move(row));
    }
  }

  void campaigns() {
    std::vector<Row> rows{{say({"campaign", "活动"}), say({"customers", "顾客"}),
                           say({"entered", "进入"}), say({"sent", "发送"}), say({"given", "发放"}),
                           say({"goals", "目标"}), say({"refused", "拒绝"})}};
    add_campaigns(what_.next.campaigns, what_.recorded.live.campaigns, rows);
    add_campaigns(what_.next.referrals, what_.recorded.live.referrals, rows);
    table(rows);
  }

  static std::uint64_t figure(const std::map<std::string, std::uint64_t>& of,
                              const std::string& name) {
    const auto found = of.find(name);
    return found == of.end() ? 0 : found->second;
  }

  void reasons() {
    std::vector<Row> rows{{say({"refused because", "拒绝原因"}), say({"times", "次数"})}};
    std::set<std::string> names;
    for (const Decided* const each : {&live(), &next()})
      for (const auto& [reason, times] : each->refused) names.insert(reason);
    for (const std::string& name : names)
      rows.push_back({name, both(figure(live().refused, name), figure(next().refused, name))});
    table(rows);
  }

  void channels() {
    std::vector<Row> rows{{say({"channel", "渠道"}), say({"sent", "发送"}), say({"cost", "费用"})}};
    const auto cost = [](const plan::Plan& plan, const std::string& name, std::uint64_t messages) {
      for (std::size_t i = 0; i < plan.channels.size(); ++i)
        if (plan.channels[i].symbol.name == name)
          return runtime::cost_of(plan, plan::ChannelId::of(i), messages);
      return std::string("–");
    };
    const plan::Plan& before = what_.recorded.live;
    for (const plan::Channel* const each : of_both(what_.next.channels, before.channels)) {
      const std::string& name = each->symbol.name;
      const std::uint64_t one = figure(live().sent, name), other = figure(next().sent, name);
      if (one + other > 0)
        rows.push_back({title_of(each->symbol), both(one, other),
                        both(cost(before, name, one), cost(what_.next, name, other))});
    }
    table(rows);
  }

  void reach() {
    const Decided::Pressure &one = live().pressure, &other = next().pressure;
    std::vector<Row> rows{
        {say({"reach and pressure", "触达与打扰"}), ""},
        {say({"customers who are sent a message", "收到消息的顾客"}),
         both(live().reached, next().reached)},
        {say({"customers who are given something", "获得奖励的顾客"}),
         both(live().gifted, next().gifted)},
        {say({"messages to one customer in a week: median", "每位顾客每周消息数：中位数"}),
         both(one.median, other.median)},
        {say({"in 95 of 100 weeks at most", "95% 的周内不超过"}), both(one.p95, other.p95)},
        {say({"at most", "最多"}), both(one.most, other.most)}};
    table(rows);
  }

  static std::string out_of(const runtime::Summary& summary, const std::string& name) {
    for (const runtime::Summary::Account& each : summary.accounts)
      if (each.name == name)
        return each.decimals > 0 ? scaled_to_string(each.balances.out(), each.decimals)
                                 : grouped(static_cast<std::uint64_t>(each.balances.out()));
    return "0";
  }

  void budgets() {
    std::vector<Row> rows{
        {what_.is_of_all ? say({"taken out of budgets", "预算支出"})
                         : say({"taken out of budgets, from the beginning on", "预算支出（自始）"}),
         say({"amount", "数量"})}};
    std::vector<std::string> names;
    for (const runtime::Summary* const each : {&what_.of_next, &what_.of_live})
      for (const runtime::Summary::Account& account : each->accounts)
        if (std::find(names.begin(), names.end(), account.name) == names.end())
          names.push_back(account.name);
    for (const std::string& name : names)
      rows.push_back({name, both(out_of(what_.of_live, name), out_of(what_.of_next, name))});
    table(rows);

    rows = {
        {say({"refused for want of budget, first", "首次因预算不足被拒"}), say({"at", "时间"})}};
    std::set<std::string> out;
    for (const Decided* const each : {&live(), &next()})
      for (const auto& [name, at] : each->out_since) out.insert(name);
    const auto when = [&](const Decided& decided, const std::string& name) {
      const auto found = decided.out_since.find(name);
      return found == decided.out_since.end() ? say({"never", "从未"})
                                              : to_string(found->second, zone());
    };
    for (const std::string& name : out)
      rows.push_back({name, both(when(live(), name), when(next(), name))});
    table(rows);
  }

  // A line of effects for people.
  static std::string effect(const std::string& line) {
    const auto effect = nlohmann::json::parse(line);
    const auto text = [&](const char* name) { return effect.value(name, std::string()); };
    std::string out = text("time") + " · " + text("campaign") + " · " + text("action");
    for (const char* const name : {"name", "amount", "prize"})
      if (effect.contains(name)) out += " " + text(name);
    if (effect.contains("value")) out += " " + effect["value"].dump();
    if (effect.contains("channel")) out += " (" + text("channel") + ")";
    return runtime::plain(out);
  }

  void differences() {
    const runtime::Comparison& all = what_.comparison;
    std::vector<Row> rows{
        {say({"what customers get", "顾客所得"}), say({"customers", "顾客"})},
        {say({"the same", "相同"}), grouped(all.same)},
        {say({"the same at other times", "内容相同，时间不同"}), grouped(all.at_other_times)},
        {say({"something else", "内容不同"}), grouped(all.otherwise)}};
    table(rows);
    for (const runtime::Difference& each : all.examples) {
      out_ += "  " + runtime::plain(each.customer) + "\n";
      const auto add = [&](const char* mark, const std::vector<std::string>& lines) {
        constexpr std::size_t most = 5;
        for (std::size_t i = 0; i < lines.size() && i < most; ++i)
          out_ += "    " + std::string(mark) + " " + effect(lines[i]) + "\n";
        if (lines.size() > most)
          out_ += "    " + std::string(mark) + " " + say({"and others: ", "其他："}) +
                  grouped(lines.size() - most) + "\n";
      };
      add("-", each.live);
      add("+", each.next);
    }
    if (!all.examples.empty()) out_ += "\n";
  }

  void note(Wording words, std::uint64_t times) {
    if (times > 0) out_ += say(words) + " " + grouped(times) + "\n";
  }
  void unknown(Wording words, const runtime::UnknownNames& names) {
    std::vector<std::pair<std::uint64_t, std::string>> commonest;
    for (const auto& [name, times] : names.names()) commonest.emplace_back(times, name);
    if (commonest.empty()) return;
    std::stable_sort(commonest.begin(), commonest.end(),
                     [](const auto& a, const auto& b) { return a.first > b.first; });
    std::uint64_t rest = names.others();
    std::string text;
    for (std::size_t i = 0; i < commonest.size(); ++i) {
      if (i < most_names)
        text += (i > 0 ? ", `" : "`") + runtime::plain(commonest[i].second) + "` " +
                grouped(commonest[i].first);
      else
        rest += commonest[i].first;
    }
    if (rest > 0) text += say({", others ", "，其他 "}) + grouped(rest);
    out_ += say(words) + " " + text + "\n";
  }

  void notes() {
    unknown({"Events that the new rules do not know:", "新规则未声明的事件："},
            what_.of_next.unknown_types);
    unknown({"Fields that the new rules do not know:", "新规则未声明的字段："},
            what_.of_next.unknown_fields);
    std::size_t shown = 0;
    for (const auto& [reason, times] : what_.rejected)
      if (++shown <= most_names)
        out_ += say({"The new rules cannot read", "新规则无法读取"}) + " " + grouped(times) +
                say({" events: ", " 个事件："}) + runtime::plain(reason) + "\n";
    note({"Not decided again, what was asked for at tills, in reviews and of points:",
          "收银、审核与积分的请求不重算："},
         what_.recorded.asked);
    note({"Left out, as the server does, because they crash it:", "因会使引擎崩溃而略去的输入："},
         what_.recorded.set_aside);
    out_ +=
        say({"Both begin with no customers and take the events in the order of their times; every "
             "message arrives at once.",
             "两者皆从零开始，按事件时间先后处理；消息均视为即时送达。"}) +
        "\n";
  }

  const Simulation& what_;
  const Language language_;
  std::string out_;
};

}  // namespace

std::string told(const Simulation& simulation, Language language) {
  return Telling(simulation, language).all();
}

}  // namespace koi::cli
