#include "sim/coverage.h"

#include <algorithm>
#include <map>

#include "base/html.h"
#include "base/json.h"

namespace koi::sim {

using What = core::Trace::What;

namespace {

// Gathers the items by what they are about: equal ones are one, seen if one of them was.
class Gathering {
 public:
  Gathering(const check::Program& program, const plan::Plan& plan, const compile::Places& places,
            const core::Trace& trace, Language language)
      : program_(program), plan_(plan), places_(places), trace_(trace), language_(language) {}

  Coverage all() {
    for (at_ = 0; at_ < plan_.campaigns.size(); ++at_) campaign();
    Coverage out;
    for (auto& [key, item] : items_) out.items.push_back(std::move(item));
    return out;
  }

 private:
  const check::Campaign& from() const { return program_.campaigns[places_.campaigns[at_].from]; }
  std::string say(const char* english, const char* chinese) const {
    return language_ == Language::Chinese ? chinese : english;
  }

  void item(SourceSpan span, What what, std::size_t place, std::size_t part, std::string told) {
    const core::Trace::Mark mark{plan::CampaignId::of(at_), what, static_cast<std::uint16_t>(place),
                                 static_cast<std::uint16_t>(part)};
    const bool seen = trace_.marks.count(mark) != 0;
    const std::tuple key{span, what, part};
    const auto [known, is_new] =
        items_.try_emplace(key, Covered{span, from().symbol.name, std::move(told), seen});
    if (is_new) return;
    known->second.seen = known->second.seen || seen;
  }

  void campaign() {
    const check::Campaign& campaign = from();
    std::size_t trigger = 0;
    for (const auto& group : campaign.groups)
      for (const auto& each : group.triggers)
        item(each.span, What::Entered, trigger++, 0,
             say("this never let anybody in", "从未有人由此进入"));
    if (!campaign.audience.is_none())
      item(program_[campaign.audience].span, What::KeptOut, 0, 0,
           say("`for` never kept anybody out", "`面向` 从未把人挡在外面"));
    if (campaign.enter.how != check::Enter::How::Always && campaign.enter.span.end != 0)
      item(campaign.enter.span, What::EnteredBefore, 0, 0,
           say("nobody ever tried to enter again", "从未有人试图再次进入"));
    if (campaign.hold_out > Decimal{})
      item(campaign.hold_out_span, What::HeldOut, 0, 0,
           say("nobody was ever held out", "从未有人落入对照组"));
    if (campaign.goal)
      item(campaign.goal->event.span, What::Goal, 0, 0,
           say("the goal was never reached", "目标从未达成"));
    for (std::size_t i = 0; i < campaign.leave_events.size(); ++i)
      item(campaign.leave_events[i].span, What::LeftByEvent, i, 0,
           say("nobody ever left by this", "从未有人因此退出"));
    for (std::size_t i = 0; i < campaign.leave_conditions.size(); ++i)
      item(program_[campaign.leave_conditions[i]].span, What::LeftByCondition, i, 0,
           say("nobody ever left by this", "从未有人因此退出"));
    for (const auto& [place, span] : places_.campaigns[at_].steps)
      step(plan_.campaigns[at_].steps[place], place, span);
  }

  void step(const plan::Step& step, std::uint16_t place, SourceSpan span) {
    if (std::holds_alternative<plan::If>(step)) {
      item(span, What::True, place, 0, say("the condition never held", "条件从未成立"));
      item(span, What::False, place, 0, say("the condition never failed", "条件从未不成立"));
    } else if (std::holds_alternative<plan::Take>(step)) {
      item(span, What::True, place, 0, say("it was never taken", "从未扣除成功"));
      item(span, What::False, place, 0,
           say("it was always there to be taken", "从未因不足而扣除失败"));
    } else if (const auto* give = std::get_if<plan::Give>(&step); give && give->otherwise != 0) {
      item(span, What::True, place, 0, say("it was never given", "从未发放成功"));
      item(span, What::False, place, 0, say("it was never refused", "从未被拒绝发放"));
    } else if (std::holds_alternative<plan::WaitFor>(step)) {
      item(span, What::Came, place, 0, say("what it waits for never came", "等待的事件从未到来"));
      item(span, What::TimedOut, place, 0, say("it never waited in vain", "从未等到超时"));
    } else if (const auto* send = std::get_if<plan::Send>(&step); send && !send->is_reply()) {
      for (std::size_t i = 0; i < send->channels.size(); ++i)
        item(span, What::Sent, place, i,
             say("nothing was ever sent via `", "从未发送，渠道 `") +
                 plan_.channels[send->channels[i].index()].symbol.name + "`");
    } else {
      item(span, What::Step, place, 0, say("this was never done", "从未执行到这里"));
    }
  }

  const check::Program& program_;
  const plan::Plan& plan_;
  const compile::Places& places_;
  const core::Trace& trace_;
  Language language_;
  std::size_t at_ = 0;  // in the plan
  std::map<std::tuple<SourceSpan, What, std::size_t>, Covered> items_;
};

std::string share(const Coverage& coverage, Language language) {
  const std::string numbers = std::to_string(coverage.seen()) +
                              (language == Language::Chinese ? " / " : " of ") +
                              std::to_string(coverage.items.size());
  const std::string percent = std::to_string(coverage.percent()) + "%";
  return language == Language::Chinese
             ? "覆盖：" + numbers + " 个子句和分支（" + percent + "）"
             : "coverage: " + numbers + " clauses and branches (" + percent + ")";
}

}  // namespace

std::size_t Coverage::seen() const {
  return static_cast<std::size_t>(
      std::count_if(items.begin(), items.end(), [](const Covered& each) { return each.seen; }));
}

std::size_t Coverage::percent() const { return items.empty() ? 100 : seen() * 100 / items.size(); }

Coverage coverage_of(const check::Program& program, const plan::Plan& plan,
                     const compile::Places& places, const core::Trace& trace, Language language) {
  return Gathering(program, plan, places, trace, language).all();
}

std::string render(const Coverage& coverage, const std::vector<Source>& sources,
                   Language language) {
  std::string out;
  for (const Covered& each : coverage.items) {
    if (each.seen) continue;
    const Source& source = sources[each.span.source];
    const auto at = source.position(each.span.begin);
    out += source.path() + ":" + std::to_string(at.line) + ":" + std::to_string(at.column) + "  " +
           each.campaign + (language == Language::Chinese ? "：" : ": ") + each.what + "\n";
  }
  return out + share(coverage, language) + "\n";
}

std::string render_json(const Coverage& coverage, const std::vector<Source>& sources) {
  std::string out;
  for (const Covered& each : coverage.items) {
    const Source& source = sources[each.span.source];
    const auto at = source.position(each.span.begin);
    out += "{\"file\":";
    append_json_string(out, source.path());
    out += ",\"line\":" + std::to_string(at.line) + ",\"column\":" + std::to_string(at.column);
    out += ",\"campaign\":";
    append_json_string(out, each.campaign);
    out += ",\"what\":";
    append_json_string(out, each.what);
    out += each.seen ? ",\"seen\":true}\n" : ",\"seen\":false}\n";
  }
  return out + "{\"seen\":" + std::to_string(coverage.seen()) +
         ",\"of\":" + std::to_string(coverage.items.size()) +
         ",\"percent\":" + std::to_string(coverage.percent()) + "}\n";
}

std::string render_html(const Coverage& coverage, const std::vector<Source>& sources,
                        Language language) {
  const bool chinese = language == Language::Chinese;
  std::string out = "<!doctype html>\n<html lang=\"";
  out += chinese ? "zh" : "en";
  out +=
      "\">\n<meta charset=\"utf-8\">\n<title>Koi</title>\n<style>\n"
      "body{font:14px/1.5 sans-serif;margin:2em;color:#222}\n"
      "table{border-collapse:collapse;margin-bottom:2em}\n"
      "td{padding:0 .6em;vertical-align:top;white-space:pre-wrap;font-family:monospace}\n"
      "td.n{color:#888;text-align:right;user-select:none}\n"
      "tr.seen td.t{background:#e6f4e6}\ntr.part td.t{background:#fff3d6}\n"
      "tr.not td.t{background:#fbe3e3}\ntd.w{color:#a33;font-family:sans-serif}\n"
      "</style>\n<h1>" +
      escaped_html(share(coverage, language)) + "</h1>\n";
  for (std::uint32_t number = 0; number < sources.size(); ++number) {
    const Source& source = sources[number];
    std::map<std::uint32_t, std::vector<const Covered*>> by_line;
    std::size_t seen = 0, all = 0;
    for (const Covered& each : coverage.items) {
      if (each.span.source != number) continue;
      by_line[source.position(each.span.begin).line].push_back(&each);
      ++all;
      if (each.seen) ++seen;
    }
    if (all == 0) continue;
    out += "<h2>" + escaped_html(source.path()) + " — " + std::to_string(seen) +
           (chinese ? " / " : " of ") + std::to_string(all) + "</h2>\n<table>\n";
    const std::uint32_t lines =
        source.position(static_cast<std::uint32_t>(source.text().size())).line;
    for (std::uint32_t line = 1; line <= lines; ++line) {
      const auto found = by_line.find(line);
      std::string state, told;
      if (found != by_line.end()) {
        const auto& items = found->second;
        const auto not_seen = std::count_if(items.begin(), items.end(),
                                            [](const Covered* each) { return !each->seen; });
        state = not_seen == 0                                        ? "seen"
                : static_cast<std::size_t>(not_seen) == items.size() ? "not"
                                                                     : "part";
        for (const Covered* each : items)
          if (!each->seen) told += (told.empty() ? "" : chinese ? "；" : "; ") + each->what;
      }
      out += "<tr";
      if (!state.empty()) out += " class=\"" + state + "\"";
      out += "><td class=\"n\">" + std::to_string(line) + "</td><td class=\"t\">" +
             escaped_html(source.line(line)) + "</td><td class=\"w\">" + escaped_html(told) +
             "</td></tr>\n";
    }
    out += "</table>\n";
  }
  return out + "</html>\n";
}

}  // namespace koi::sim
