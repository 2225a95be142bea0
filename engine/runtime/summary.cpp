#include "runtime/summary.h"

#include <algorithm>

#include "base/decimal.h"
#include "base/html.h"
#include "base/source.h"
#include "runtime/tables.h"

namespace koi::runtime {

namespace {

using Wording = std::pair<const char*, const char*>;  // English, Chinese

class Teller {
 public:
  Teller(const plan::Plan& plan, const Summary& summary, Language language)
      : plan_(plan), summary_(summary), language_(language) {}

  std::string say(Wording words) const {
    return language_ == Language::Chinese ? words.second : words.first;
  }
  std::string title_of(const Symbol& symbol) const {
    return language_ == Language::Chinese && !symbol.alias.empty() ? symbol.alias : symbol.name;
  }
  const plan::Plan& plan() const { return plan_; }
  const Summary& summary() const { return summary_; }

  // What a campaign did beside sending and setting.
  std::vector<std::pair<std::string, std::uint64_t>> other_acts(
      const CampaignFigures& figures) const {
    std::vector<std::pair<std::string, std::uint64_t>> acts;
    const auto add = [&](Wording words, std::uint64_t n) {
      if (n > 0) acts.emplace_back(say(words), n);
    };
    add({"tags changed", "更改标签"}, figures.tagged);
    add({"events emitted", "产生事件"}, figures.emitted);
    add({"people notified", "通知员工"}, figures.notified);
    add({"webhooks called", "调用接口"}, figures.called);
    add({"campaigns started", "启动活动"}, figures.started);
    return acts;
  }

  std::vector<std::string> arm_heads(const Experiment& experiment) const {
    std::vector<std::string> heads{
        say({"arms of ", "分流："}) + title_of(plan_.campaigns[experiment.campaign.index()].symbol),
        say({"entries", "进入"}), say({"customers", "顾客"})};
    if (!experiment.has_goal) return heads;
    heads.push_back(say({"reached the goal", "达成目标"}));
    heads.push_back(say({"share", "比例"}));
    return heads;
  }
  std::vector<std::string> arm_cells(const Experiment& experiment,
                                     const Experiment::Arm& arm) const;
  std::string verdict(const Experiment& experiment) const {
    if (!experiment.has_goal)
      return say({"The campaign has no goal to compare them by.", "活动没有目标，无从比较。"});
    switch (experiment.certainty) {
      case Certainty::TooFew:
        return say({"Too few customers to tell the arms apart.", "顾客太少，尚不能区分各分支。"});
      case Certainty::None: return say({"No significant difference.", "没有显著差异。"});
      case Certainty::P05:
        return say({"The difference is significant (p < 0.05).", "差异显著（p < 0.05）。"});
      case Certainty::P01:
        return say({"The difference is significant (p < 0.01).", "差异显著（p < 0.01）。"});
      case Certainty::P001:
        return say({"The difference is significant (p < 0.001).", "差异显著（p < 0.001）。"});
    }
    KOI_ASSERT(false);
  }

  // The lines beneath the tables: what became of the records.
  std::vector<std::pair<std::string, std::uint64_t>> records() const {
    std::vector<std::pair<std::string, std::uint64_t>> lines;
    const auto add = [&](Wording words, std::uint64_t n) {
      if (n > 0) lines.emplace_back(say(words), n);
    };
    add({"late, within the allowance", "迟到，仍计入"}, summary_.late);
    add({"too late, not counted", "过迟，不计"}, summary_.too_late);
    add({"seen before (same id)", "重复（相同 id）"}, summary_.duplicates);
    add({"of unknown types", "未知类型"}, summary_.unknown_events);
    add({"left out by the map", "按映射略去"}, summary_.left_out);
    add({"after the end of the run", "晚于截止时刻"}, summary_.after_until);
    add({"rejected", "不合格，已搁置"}, summary_.rejected);
    add({"customers who turned out to be others", "与他人合并的顾客"}, summary_.merged);
    add({"identifiers that two customers claim", "标识冲突（两位顾客）"}, summary_.conflicts);
    add({"deliveries stopped that caused each other without end", "互相触发而被中止的送达"},
        summary_.unanswered);
    return lines;
  }

 private:
  const plan::Plan& plan_;
  const Summary& summary_;
  Language language_;
};

// Names that the program does not know, the commonest first.
std::vector<std::pair<std::string, std::uint64_t>> commonest(const UnknownNames& names) {
  std::vector<std::pair<std::string, std::uint64_t>> sorted(names.names().begin(),
                                                            names.names().end());
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  return sorted;
}

std::string listed(const Teller& teller, const UnknownNames& names) {
  std::string out;
  std::size_t shown = 0;
  std::uint64_t rest = names.others();
  for (const auto& [name, times] : commonest(names)) {
    if (++shown > 10) {
      rest += times;
      continue;
    }
    out += (out.empty() ? "`" : ", `") + plain(name) + "` " + grouped(times);
  }
  if (rest > 0) out += ", " + teller.say({"others ", "其他 "}) + grouped(rest);
  return out;
}

// With one decimal, rounded half up.
std::string percent(const ArmFigures& figures) {
  const std::uint64_t tenths =
      (figures.reached * 2000 + figures.customers) / (2 * figures.customers);
  return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + "%";
}

std::vector<std::string> Teller::arm_cells(const Experiment& experiment,
                                           const Experiment::Arm& arm) const {
  std::vector<std::string> cells{arm.name, grouped(arm.figures.entries),
                                 grouped(arm.figures.customers)};
  if (!experiment.has_goal) return cells;
  cells.push_back(grouped(arm.figures.reached));
  cells.push_back(arm.figures.customers == 0 ? "–" : percent(arm.figures));
  return cells;
}

}  // namespace

void CampaignFigures::count(const core::Effect& effect) {
  switch (effect.action) {
    case core::Action::Enter: ++entered; break;
    case core::Action::Leave: ++left; break;
    case core::Action::Goal: ++goals; break;
    case core::Action::Send:
    case core::Action::Reply: ++sent; break;
    case core::Action::Set: ++set; break;
    case core::Action::Give:
      ++given;
      if (effect.gift->amount.kind() == Kind::Money) spent += effect.gift->amount.raw();
      break;
    case core::Action::Take: ++taken; break;
    case core::Action::Claim:
    case core::Action::ClawBack:
    case core::Action::Redeem:
    case core::Action::RollBack: break;  // the accounts tell
    case core::Action::Refuse: ++refused[static_cast<std::size_t>(effect.reason)]; break;
    case core::Action::Tag:
    case core::Action::Untag: ++tagged; break;
    case core::Action::Emit: ++emitted; break;
    case core::Action::Notify: ++notified; break;
    case core::Action::Call: ++called; break;
    case core::Action::Start: ++started; break;
    case core::Action::Split:
    case core::Action::Merge: break;
  }
}

void CampaignFigures::add(const CampaignFigures& other) {
  entered += other.entered;
  left += other.left;
  goals += other.goals;
  sent += other.sent;
  set += other.set;
  tagged += other.tagged;
  emitted += other.emitted;
  notified += other.notified;
  called += other.called;
  started += other.started;
  given += other.given;
  taken += other.taken;
  spent += other.spent;
  for (std::size_t reason = 0; reason < reason_count; ++reason)
    refused[reason] += other.refused[reason];
}

std::string render(const plan::Plan& plan, const Summary& summary, Language language) {
  const Teller teller(plan, summary, language);
  std::string out;
  out += teller.say({"Events", "事件"}) + " " + grouped(summary.events) + " · " +
         teller.say({"customers", "顾客"}) + " " + grouped(summary.customers);
  if (summary.events > 0)
    out += " · " + to_string(summary.first, *plan.policy.zone) + " – " +
           to_string(summary.last, *plan.policy.zone);
  out += "\n\n";

  std::vector<std::vector<std::string>> rows{
      {teller.say({"campaign", "活动"}), teller.say({"entered", "进入"}),
       teller.say({"sent", "发送"}), teller.say({"goals", "目标"}), teller.say({"left", "离开"}),
       teller.say({"refused", "拒绝"})}};
  for (std::size_t i = 0; i < plan.campaigns.size(); ++i) {
    const CampaignFigures& figures = summary.campaigns[i];
    std::uint64_t refused = 0;
    for (const std::uint64_t n : figures.refused) refused += n;
    rows.push_back({teller.title_of(plan.campaigns[i].symbol), grouped(figures.entered),
                    grouped(figures.sent), grouped(figures.goals), grouped(figures.left),
                    grouped(refused)});
  }
  if (rows.size() > 1)
    out += table(rows) + "\n";
  else
    out += teller.say({"  The program has no campaign.\n\n", "  程序中没有活动。\n\n"});

  rows = {{teller.say({"also done", "其他动作"}), teller.say({"times", "次数"})}};
  for (std::size_t i = 0; i < plan.campaigns.size(); ++i)
    for (const auto& [what, n] : teller.other_acts(summary.campaigns[i]))
      rows.push_back({teller.title_of(plan.campaigns[i].symbol) + " " + what, grouped(n)});
  if (rows.size() > 1) out += table(rows) + "\n";

  for (const Experiment& each : experiments_of(plan, summary.arms)) {
    rows = {teller.arm_heads(each)};
    for (const Experiment::Arm& arm : each.arms) rows.push_back(teller.arm_cells(each, arm));
    out += table(rows) + "  " + teller.verdict(each) + "\n\n";
  }

  rows = {{teller.say({"refused because", "拒绝原因"}), teller.say({"times", "次数"})}};
  for (std::size_t i = 0; i < plan.campaigns.size(); ++i)
    for (std::size_t reason = 0; reason < reason_count; ++reason)
      if (const std::uint64_t n = summary.campaigns[i].refused[reason]; n > 0)
        rows.push_back({teller.title_of(plan.campaigns[i].symbol) + " " +
                            std::string(name_of(static_cast<core::Reason>(reason))),
                        grouped(n)});
  for (std::size_t reason = 0; reason < reason_count; ++reason)
    if (const std::uint64_t n = summary.referrals.refused[reason]; n > 0)
      rows.push_back({std::string(name_of(static_cast<core::Reason>(reason))), grouped(n)});
  if (rows.size() > 1) out += table(rows) + "\n";

  if (!summary.accounts.empty()) {
    rows = {{teller.say({"account", "账户"}), teller.say({"reserved", "预留"}),
             teller.say({"given", "已发放"}), teller.say({"claimed", "已领取"}),
             teller.say({"lapsed", "已失效"}), teller.say({"returned", "已退回"}),
             teller.say({"clawed back", "已追回"})}};
    for (const Summary::Account& account : summary.accounts) {
      std::vector<std::string> row{account.name};
      for (const auto stage :
           {ledger::Stage::Reserved, ledger::Stage::Given, ledger::Stage::Claimed,
            ledger::Stage::Lapsed, ledger::Stage::Returned, ledger::Stage::ClawedBack})
        row.push_back(account.decimals > 0
                          ? scaled_to_string(account.balances[stage], account.decimals)
                          : grouped(static_cast<std::uint64_t>(account.balances[stage])));
      rows.push_back(std::move(row));
    }
    out += table(rows) + "\n";
  }

  rows = {{teller.say({"channel", "渠道"}), teller.say({"sent", "发送"}),
           teller.say({"cost", "费用"})}};
  for (std::size_t i = 0; i < plan.channels.size(); ++i)
    if (summary.sent_by_channel[i] > 0)
      rows.push_back({teller.title_of(plan.channels[i].symbol), grouped(summary.sent_by_channel[i]),
                      cost_of(plan, plan::ChannelId::of(i), summary.sent_by_channel[i])});
  if (rows.size() > 1) out += table(rows) + "\n";

  rows = {{teller.say({"records read", "读入记录"}), grouped(summary.records)}};
  for (const auto& [name, n] : teller.records()) rows.push_back({name, grouped(n)});
  out += table(rows);
  if (!summary.unknown_types.names().empty())
    out += "  " + teller.say({"unknown types: ", "未知类型："}) +
           listed(teller, summary.unknown_types) + "\n";
  if (!summary.unknown_fields.names().empty())
    out += "  " + teller.say({"unknown fields: ", "未知字段："}) +
           listed(teller, summary.unknown_fields) + "\n";
  if (!summary.rejects_path.empty())
    out += "  " + teller.say({"rejected lines, with their reasons: ", "不合格的行及原因："}) +
           summary.rejects_path + "\n";
  return out;
}

namespace {

// One bar of what entered, with what was sent and reached its goal inside.
std::string bars(const CampaignFigures& figures, std::uint64_t most) {
  const auto width = [&](std::uint64_t n) {
    return std::to_string(most == 0 ? 0 : n * 300 / most);
  };
  std::string out = R"(<svg width="302" height="30" role="img">)";
  int y = 1;
  for (const auto& [n, colour] : {std::pair{figures.entered, "#c9d6e3"},
                                  {figures.sent, "#3a7ca5"},
                                  {figures.goals, "#e07a3f"}}) {
    out += R"(<rect x="1" y=")" + std::to_string(y) + R"(" height="8" width=")" + width(n) +
           R"(" fill=")" + colour + R"("/>)";
    y += 9;
  }
  return out + "</svg>";
}

}  // namespace

std::string render_html(const plan::Plan& plan, const Summary& summary, Language language) {
  const Teller teller(plan, summary, language);
  const auto cell = [](const std::string& text) { return "<td>" + escaped_html(text) + "</td>"; };
  const auto number = [](std::uint64_t n) { return "<td class=n>" + grouped(n) + "</td>"; };
  const auto head = [&](std::initializer_list<Wording> names) {
    std::string out = "<tr>";
    for (const Wording& words : names) out += "<th>" + teller.say(words) + "</th>";
    return out + "</tr>\n";
  };
  std::string out = "<!doctype html>\n<html lang=\"" +
                    std::string(language == Language::Chinese ? "zh" : "en") +
                    "\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
                    "content=\"width=device-width\">\n<title>Koi</title>\n"
                    "<style>body{font:16px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem "
                    "auto;padding:0 1rem;color:#222}"
                    "table{border-collapse:collapse;margin:1rem 0}th,td{padding:.3rem "
                    ".8rem;text-align:left;border-bottom:1px solid #ddd}"
                    ".n{text-align:right;font-variant-numeric:tabular-nums}blockquote{margin:.5rem "
                    "0 1rem;padding:.2rem 1rem;border-left:3px solid #3a7ca5}"
                    "small{color:#666}i{font-style:normal;padding:0 .4rem}</style></head><body>\n";
  out += "<h1>" + teller.say({"What the run did", "运行结果"}) + "</h1>\n<p>" +
         grouped(summary.events) + " " + teller.say({"events of", "个事件，"}) + " " +
         grouped(summary.customers) + " " + teller.say({"customers", "位顾客"});
  if (summary.events > 0)
    out += "<br><small>" + escaped_html(to_string(summary.first, *plan.policy.zone)) + " – " +
           escaped_html(to_string(summary.last, *plan.policy.zone)) + "</small>";
  out += "</p>\n<h2>" + teller.say({"Campaigns", "活动"}) + "</h2>\n<table>" +
         head({{"campaign", "活动"},
               {"entered", "进入"},
               {"sent", "发送"},
               {"goals", "目标"},
               {"left", "离开"},
               {"", ""}});
  std::uint64_t most = 0;
  for (const CampaignFigures& figures : summary.campaigns)
    most = std::max({most, figures.entered, figures.sent, figures.goals});
  for (std::size_t i = 0; i < plan.campaigns.size(); ++i) {
    const CampaignFigures& figures = summary.campaigns[i];
    out += "<tr>" + cell(teller.title_of(plan.campaigns[i].symbol)) + number(figures.entered) +
           number(figures.sent) + number(figures.goals) + number(figures.left) + "<td>" +
           bars(figures, most) + "</td></tr>\n";
  }
  out += "</table>\n<p><small><i style=\"background:#c9d6e3\"></i> " +
         teller.say({"entered", "进入"}) + " <i style=\"background:#3a7ca5\"></i> " +
         teller.say({"sent", "发送"}) + " <i style=\"background:#e07a3f\"></i> " +
         teller.say({"goals", "目标"}) + "</small></p>\n";
  out += "<h2>" + teller.say({"Refused", "拒绝"}) + "</h2>\n<table>" +
         head({{"campaign", "活动"}, {"reason", "原因"}, {"times", "次数"}});
  for (std::size_t i = 0; i < plan.campaigns.size(); ++i)
    for (std::size_t reason = 0; reason < reason_count; ++reason)
      if (const std::uint64_t n = summary.campaigns[i].refused[reason]; n > 0)
        out += "<tr>" + cell(teller.title_of(plan.campaigns[i].symbol)) +
               cell(std::string(name_of(static_cast<core::Reason>(reason)))) + number(n) +
               "</tr>\n";
  out += "</table>\n";
  for (const Experiment& each : experiments_of(plan, summary.arms)) {
    out += "<h2>" + escaped_html(teller.arm_heads(each).front()) + "</h2>\n<table><tr>";
    for (const std::string& head_cell : teller.arm_heads(each))
      out += "<th>" + escaped_html(head_cell) + "</th>";
    out += "</tr>\n";
    for (const Experiment::Arm& arm : each.arms) {
      out += "<tr>";
      for (const std::string& text : teller.arm_cells(each, arm)) out += cell(text);
      out += "</tr>\n";
    }
    out += "</table>\n<p><small>" + escaped_html(teller.verdict(each)) + "</small></p>\n";
  }
  out += "<h2>" + teller.say({"Channels", "渠道"}) + "</h2>\n<table>" +
         head({{"channel", "渠道"}, {"sent", "发送"}, {"cost", "费用"}});
  for (std::size_t i = 0; i < plan.channels.size(); ++i)
    if (summary.sent_by_channel[i] > 0)
      out += "<tr>" + cell(teller.title_of(plan.channels[i].symbol)) +
             number(summary.sent_by_channel[i]) + "<td class=n>" +
             escaped_html(cost_of(plan, plan::ChannelId::of(i), summary.sent_by_channel[i])) +
             "</td></tr>\n";
  out += "</table>\n<h2>" + teller.say({"Messages", "消息"}) + "</h2>\n";
  for (const Message& message : summary.messages)
    out +=
        "<p><small>" + escaped_html(to_string(message.time, *plan.policy.zone)) + " · " +
        escaped_html(message.customer) + " · " +
        escaped_html(teller.title_of(plan.channels[message.channel.index()].symbol)) +
        "</small></p><blockquote><b>" + escaped_html(message.text.title) + "</b><br>" +
        escaped_html(message.text.body) +
        (message.text.link.empty() ? ""
                                   : "<br><small>" + escaped_html(message.text.link) + "</small>") +
        "</blockquote>\n";
  out += "<h2>" + teller.say({"Records", "记录"}) + "</h2>\n<table><tr>" +
         cell(teller.say({"records read", "读入记录"})) + number(summary.records) + "</tr>\n";
  for (const auto& [name, n] : teller.records()) out += "<tr>" + cell(name) + number(n) + "</tr>\n";
  for (const auto& [name, n] : commonest(summary.unknown_types))
    out += "<tr>" + cell(teller.say({"unknown type ", "未知类型 "}) + name) + number(n) + "</tr>\n";
  for (const auto& [name, n] : commonest(summary.unknown_fields))
    out +=
        "<tr>" + cell(teller.say({"unknown field ", "未知字段 "}) + name) + number(n) + "</tr>\n";
  out += "</table>\n</body></html>\n";
  return out;
}

}  // namespace koi::runtime
