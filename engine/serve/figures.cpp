#include "serve/figures.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "base/html.h"
#include "base/json.h"
#include "deploy/deployment.h"
#include "serve/audit_draws.h"
#include "serve/exposition.h"
#include "serve/pools.h"

namespace koi::serve {

namespace {

using runtime::CampaignFigures;

// Calls `each` for every action of a campaign with its count, refusals by their reason.
template <class Each>
void for_each_count(const CampaignFigures& figures, Each each) {
  each("enter", std::string_view(), figures.entered);
  each("leave", std::string_view(), figures.left);
  each("goal", std::string_view(), figures.goals);
  each("send", std::string_view(), figures.sent);
  each("set", std::string_view(), figures.set);
  each("tag", std::string_view(), figures.tagged);
  each("emit", std::string_view(), figures.emitted);
  each("notify", std::string_view(), figures.notified);
  each("call", std::string_view(), figures.called);
  each("start", std::string_view(), figures.started);
  each("give", std::string_view(), figures.given);
  each("take", std::string_view(), figures.taken);
  for (std::size_t i = 1; i < figures.refused.size(); ++i)
    if (figures.refused[i] > 0)
      each("refuse", core::name_of(static_cast<core::Reason>(i)), figures.refused[i]);
}

std::string version_of(const plan::Campaign& campaign) {
  return plan::full_name_of(campaign).substr(campaign.symbol.name.size() + 1);
}

// What was given, what it is worth in money, and what was refused.
void append_given(std::string& out, const plan::Plan& plan, const CampaignFigures& of) {
  out += R"(,"given":)" + std::to_string(of.given) + R"(,"taken":)" + std::to_string(of.taken) +
         R"(,"spent":")" + scaled_to_string(of.spent, plan.schema.currency_decimals) +
         R"(","refused":{)";
  bool is_first = true;
  for (std::size_t i = 1; i < of.refused.size(); ++i) {
    if (of.refused[i] == 0) continue;
    out += std::exchange(is_first, false) ? "" : ",";
    append_json_string(out, core::name_of(static_cast<core::Reason>(i)));
    out += ":" + std::to_string(of.refused[i]);
  }
  out += '}';
}

std::uint64_t refused_in_all(const CampaignFigures& figures) {
  std::uint64_t all = 0;
  for (const std::uint64_t n : figures.refused) all += n;
  return all;
}

}  // namespace

std::string campaigns_json(const plan::Plan& plan, std::string_view rules,
                           const std::map<std::string, CampaignFigures>& figures,
                           const ReferralFigures& referrals) {
  std::string out = R"({"rules":)";
  append_json_string(out, rules);
  // What is drawn by chance can be checked behind it by whoever has read this before it.
  if (std::any_of(plan.incentives.begin(), plan.incentives.end(), [](const auto& each) {
        return std::holds_alternative<plan::PrizeDraw>(each.what);
      }))
    out += R"(,"draws_commitment":")" + draws_commitment(plan) + '"';
  out += R"(,"campaigns":[)";
  bool is_first = true;
  for (const plan::Campaign& campaign : plan.campaigns) {
    out += std::exchange(is_first, false) ? "" : ",";
    out += R"({"name":)";
    append_json_string(out, campaign.symbol.name);
    if (!campaign.symbol.alias.empty()) {
      out += R"(,"alias":)";
      append_json_string(out, campaign.symbol.alias);
    }
    out += R"(,"class":)";
    append_json_string(out, plan::name_of(campaign.campaign_class));
    out += R"(,"priority":)" + std::to_string(campaign.priority);
    if (campaign.closed) out += R"(,"closed":true,"version":")" + version_of(campaign) + '"';
    const std::uint32_t takes = campaign.takes_to - campaign.takes_from;
    if (takes != 0 && takes != 1'000'000)
      out += R"(,"of_customers":")" + deploy::percent_text(takes) + '"';
    const auto found = figures.find(plan::full_name_of(campaign));
    const CampaignFigures none, &of = found == figures.end() ? none : found->second;
    out += R"(,"entered":)" + std::to_string(of.entered) + R"(,"left":)" + std::to_string(of.left) +
           R"(,"goals":)" + std::to_string(of.goals) + R"(,"sent":)" + std::to_string(of.sent) +
           R"(,"set":)" + std::to_string(of.set) + R"(,"tagged":)" + std::to_string(of.tagged) +
           R"(,"emitted":)" + std::to_string(of.emitted) + R"(,"notified":)" +
           std::to_string(of.notified) + R"(,"called":)" + std::to_string(of.called) +
           R"(,"started":)" + std::to_string(of.started);
    append_given(out, plan, of);
    out += '}';
  }
  out += R"(],"referrals":[)";
  is_first = true;
  for (std::size_t i = 0; i < plan.referrals.size(); ++i) {
    const plan::Referral& referral = plan.referrals[i];
    out += std::exchange(is_first, false) ? R"({"name":)" : R"(,{"name":)";
    append_json_string(out, referral.symbol.name);
    const auto found = figures.find(referral.symbol.name);
    append_given(out, plan, found == figures.end() ? CampaignFigures() : found->second);
    if (i < referrals.size()) append_members(out, referrals[i]);
    out += '}';
  }
  return out + "]}\n";
}

std::string metrics_text(const Shown& shown, Engine& engine, const Reception& reception,
                         const Callbacks& callbacks, const Touches* touches, Duration up) {
  Exposition out;
  out.family("koi_build_info", "gauge", "The version that runs, and the rules.");
  out.value(1, label("version", shown.version) + "," + label("rules", shown.rules));
  out.one("koi_uptime_seconds", "gauge", "Since the process began to serve.",
          static_cast<std::uint64_t>(up.us / 1'000'000));

  const Door::Figures& door = engine.door().figures();
  out.family("koi_events_total", "counter", "Events by what became of them.");
  for (const auto& [came, count] : {std::pair(Came::Accepted, door.accepted.load()),
                                    std::pair(Came::Duplicate, door.duplicate.load()),
                                    std::pair(Came::TooLate, door.too_late.load()),
                                    std::pair(Came::UnknownType, door.unknown_type.load()),
                                    std::pair(Came::Rejected, door.rejected.load())})
    out.value(count, label("result", name_of(came)));
  out.one("koi_requests_busy_total", "counter", "Requests refused because a queue was full.",
          door.busy);
  out.one("koi_identifier_conflicts_total", "counter",
          "Identifiers that were another customer's already.", door.conflicts);

  const durable::Writers& writers = engine.writers();
  const durable::Writers::Figures now = writers.figures();
  out.one("koi_inputs_stepped_total", "counter", "Inputs decided since the start.", now.inputs);
  out.one("koi_commits_total", "counter", "Commits of the journal.", writers.commits());
  out.one("koi_checkpoints_total", "counter", "Checkpoints stored.", writers.checkpoints());
  out.one("koi_queue_inputs", "gauge", "Inputs that wait to be committed.", now.waiting);
  out.one("koi_queue_bytes", "gauge", "Bytes of requests that wait to be decoded.",
          reception.waiting_bytes());
  out.one("koi_journal_tail_rows", "gauge", "Rows behind the last checkpoints.", now.tail);
  out.one("koi_inputs_set_aside", "gauge",
          "Inputs that crashed the process twice and are never decided.", now.set_aside);
  out.one("koi_customers_in_memory", "gauge", "Customers whose states are in memory.",
          now.customers);
  out.one("koi_state_bytes", "gauge", "What they take.", now.bytes);

  const auto channels = engine.outbox().counts();
  out.one("koi_deliveries_open", "gauge", "Deliveries without a final receipt.",
          engine.deliveries().open());
  out.family("koi_delivery_attempts_total", "counter", "Attempts by channel and outcome.");
  for (const auto& [channel, counts] : channels)
    for (const auto& [outcome, count] :
         {std::pair("done", counts.done), std::pair("refused", counts.refused),
          std::pair("deferred", counts.deferred), std::pair("unknown", counts.unknown),
          std::pair("pending", counts.pending)})
      out.value(count, label("channel", channel) + "," + label("outcome", outcome));
  out.family("koi_deliveries_total", "counter", "Final receipts by channel and result.");
  for (const auto& [channel, counts] : channels)
    for (const auto& [result, count] :
         {std::pair("delivered", counts.delivered), std::pair("failed", counts.failed),
          std::pair("unknown", counts.ended_unknown)})
      out.value(count, label("channel", channel) + "," + label("result", result));
  out.one("koi_deliveries_pending", "gauge",
          "Deliveries that a provider has and will report on; some of the open ones.",
          engine.outbox().pending());
  const Callbacks::Figures& told = callbacks.figures();
  out.family("koi_callbacks_total", "counter", "Requests to callback addresses by result.");
  out.value(told.taken, label("result", "taken"));
  out.value(told.refused, label("result", "refused"));
  out.family("koi_callback_events_total", "counter", "Events that providers told by result.");
  out.value(told.events, label("result", "kept"));
  out.value(told.rejected, label("result", "rejected"));
  out.family("koi_callback_reports_total", "counter", "Reports on deliveries by result.");
  out.value(told.reports, label("result", "ended"));
  out.value(told.unknown_reports, label("result", "unknown"));
  if (touches) {
    const Touches::Figures& seen = touches->figures();
    out.family("koi_touches_total", "counter",
               "Visits to the addresses in messages, by what came of them.");
    for (const auto& [kind, count] :
         {std::pair("clicked", seen.clicks), std::pair("opened", seen.opens),
          std::pair("unsubscribed", seen.unsubscribes), std::pair("preview", seen.previews),
          std::pair("scanner", seen.scanners), std::pair("unknown", seen.unknown),
          std::pair("taken", seen.taken), std::pair("lost", seen.lost)})
      out.value(count, label("result", kind));
  }
  out.family("koi_circuit_opened_total", "counter", "Times that a channel was given a rest.");
  for (const auto& [channel, counts] : channels)
    out.value(counts.circuit_opened, label("channel", channel));

  out.family("koi_campaign_actions_total", "counter",
             "What campaigns decided since the data began.");
  for (const auto& [campaign, figures] : engine.deliveries().figures())
    for_each_count(
        figures, [&](std::string_view action, std::string_view reason, std::uint64_t count) {
          std::string labels = label("campaign", campaign) + "," + label("action", action);
          if (!reason.empty()) labels += "," + label("reason", reason);
          out.value(count, labels);
        });
  if (const auto pools = stocks(shown.store, shown.groups, shown.plan); pools && !pools->empty()) {
    out.family("koi_pool_codes_left", "gauge",
               "Codes that were uploaded and nobody has yet, as of the last checkpoint.");
    for (const PoolStock& each : *pools)
      out.value(each.left, label("pool", each.pool) + "," + label("incentive", each.incentive));
    out.family("koi_pool_is_low", "gauge", "1 where no more are left than the rules call few.");
    for (const PoolStock& each : *pools)
      out.value(std::cmp_less_equal(each.left, each.low_at) ? 1 : 0,
                label("pool", each.pool) + "," + label("incentive", each.incentive));
  }
  out.one("koi_timeline_lost_total", "counter", "Lines that the timeline could not keep.",
          engine.deliveries().lost_lines());
  return out.take();
}

std::string status_page(const Shown& shown, Engine& engine, Duration up) {
  const Door::Figures& door = engine.door().figures();
  const auto figures = engine.deliveries().figures();
  std::string rows;
  for (const plan::Campaign& campaign : shown.plan.campaigns) {
    const auto found = figures.find(plan::full_name_of(campaign));
    const CampaignFigures none, &of = found == figures.end() ? none : found->second;
    rows += "<tr><td>" + escaped_html(plan::full_name_of(campaign));
    if (!campaign.symbol.alias.empty())
      rows += " <i>" + escaped_html(campaign.symbol.alias) + "</i>";
    for (const std::uint64_t n : {of.entered, of.sent, of.goals, of.left, refused_in_all(of)})
      rows += "</td><td class=n>" + std::to_string(n);
    rows += "</td></tr>\n";
  }
  std::string channels;
  for (const auto& [channel, counts] : engine.outbox().counts()) {
    channels += "<tr><td>" + escaped_html(channel);
    for (const std::uint64_t n :
         {std::uint64_t{counts.open}, counts.delivered, counts.failed, counts.ended_unknown})
      channels += "</td><td class=n>" + std::to_string(n);
    channels += "</td></tr>\n";
  }
  const durable::Writers::Figures now = engine.writers().figures();
  return R"(<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="3">
<meta name="viewport" content="width=device-width"><title>Koi</title><style>
body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem;color:#222}
table{border-collapse:collapse;width:100%;margin:1rem 0}th{text-align:left;font-weight:600}
td,th{padding:.3rem .6rem;border-bottom:1px solid #ddd}.n,th+th{text-align:right}i{color:#777}
code,pre{font:14px/1.5 ui-monospace,monospace;background:#f4f4f4;padding:.1rem .3rem}pre{padding:.8rem;overflow:auto}
</style></head><body>
<h1>Koi</h1>
<p>Version )" +
         escaped_html(shown.version) + " · rules <code>" + escaped_html(shown.rules) +
         "</code> · up " + escaped_html(to_string(Duration{up.us / 1'000'000 * 1'000'000})) +
         "</p>\n<table><tr><th>campaign</th><th>entered</th><th>sent</th><th>goals</th>"
         "<th>left</th><th>refused</th></tr>\n" +
         rows +
         "</table>\n<table><tr><th>channel</th><th>open</th><th>delivered</th><th>failed</th>"
         "<th>unknown</th></tr>\n" +
         channels + "</table>\n<p>Events since the start: " + std::to_string(door.accepted) +
         " accepted, " + std::to_string(door.duplicate) + " seen before, " +
         std::to_string(door.rejected + door.unknown_type) + " rejected. " +
         std::to_string(now.waiting) + " wait. " + std::to_string(now.customers) +
         R"( customers in memory.</p>
<h2>API</h2>
<table>
<tr><td><code>POST /v1/events</code></td><td>an event, an array of them, or a line each</td></tr>
<tr><td><code>GET /v1/customers/{id}</code></td><td>attributes, metrics, segments, journeys, timeline</td></tr>
<tr><td><code>GET /v1/campaigns</code></td><td>what runs, with its figures</td></tr>
<tr><td><code>GET /metrics</code></td><td>for Prometheus</td></tr>
<tr><td><code>GET /healthz</code>, <code>/readyz</code></td><td>alive, and ready for events</td></tr>
</table>
</body></html>
)";
}

}  // namespace koi::serve
