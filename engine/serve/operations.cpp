#include "serve/operations.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/json.h"
#include "plan/plan.h"
#include "serve/refusal.h"

namespace koi::serve {

namespace {

constexpr std::size_t outcomes_kept = 100;
constexpr std::size_t longest_word = 500;  // of who and why

void member(std::string& out, std::string_view name, std::string_view text) {
  if (out.back() != '{') out += ',';
  append_json_string(out, name);
  out += ':';
  append_json_string(out, text);
}

net::Answer with(int status, std::string body) {
  net::Answer answer;
  answer.status = status;
  answer.body = std::move(body);
  return answer;
}

void append_turn(std::string& out, const deploy::Turn& turn) {
  out += '{';
  member(out, "bundle", to_hex(turn.bundle));
  member(out, "since", to_string(turn.since, utc()));
  if (!turn.by.empty()) member(out, "by", turn.by);
  if (!turn.why.empty()) member(out, "why", turn.why);
  if (turn.ways.canary != 0) member(out, "canary", deploy::percent_text(turn.ways.canary));
  out += '}';
}

std::string_view without_outer_blanks(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(' ');
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(' ') - begin + 1);
}

// For whom it is: `canary=5%`. What is to become of those who are under way: `stop=NAME`,
// `migrate=NAME`, and `step=NAME: FROM = TO`, each as often as there are some. Error "ways".
Result<deploy::Ways> ways_of(const net::Headers& query) {
  deploy::Ways ways;
  for (const auto& [name, value] : query) {
    if (name == "stop") ways.stop.push_back(value);
    if (name == "migrate") ways.migrate.push_back({value});
  }
  for (const auto& [name, value] : query) {
    if (name != "step") continue;
    const std::string_view text = value;
    const std::size_t colon = text.find(':'), equals = text.find('=', colon + 1);
    if (colon == std::string_view::npos || equals == std::string_view::npos)
      return Error{"ways", "`step` is written as CAMPAIGN: STEP = STEP, the former one first"};
    const std::string_view campaign = without_outer_blanks(text.substr(0, colon));
    const auto move = std::find_if(ways.migrate.begin(), ways.migrate.end(),
                                   [&](const auto& each) { return each.campaign == campaign; });
    if (move == ways.migrate.end())
      return Error{"ways", "`step` is of a campaign that is to be migrated, and `" +
                               std::string(campaign) + "` is not"};
    move->steps.push_back(
        {std::string(without_outer_blanks(text.substr(colon + 1, equals - colon - 1))),
         std::string(without_outer_blanks(text.substr(equals + 1)))});
  }
  if (const std::string* share = net::find(query, "canary")) {
    const auto canary = deploy::percent_of(*share);
    if (!canary) return Error{"ways", "`canary` is a part of the customers, as 5%"};
    ways.canary = *canary;
  }
  return ways;
}

int status_of(const Error& error) {
  const bool is_unknown = error.code == "customer" || error.code == "merged" ||
                          error.code == "campaign" || error.code == "message";
  return is_unknown ? 404 : error.code == "open" ? 409 : error.code == "erased" ? 410 : 503;
}

}  // namespace

void Operations::handle(net::Asked asked, net::Reply reply) {
  if (asked.path.starts_with("/v1/deploys/") || asked.path.starts_with("/v1/backups/")) {
    const std::string_view text = std::string_view(asked.path).substr(12);
    std::uint64_t number = 0;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
    return show(read.ptr == text.data() + text.size() ? number : 0, std::move(reply));
  }
  Wish wish;
  const net::Headers query = net::query_of(asked.query);
  if (asked.path == "/v1/explain") {
    const std::string *customer = net::find(query, "customer"),
                      *campaign = net::find(query, "campaign"),
                      *message = net::find(query, "message"), *at = net::find(query, "at");
    const auto instant = at ? parse_instant(*at) : std::nullopt;
    if (!customer || (campaign && message) || !instant)
      return reply.send(refused(400, "question",
                                "say `customer`, if you like either `campaign` or `message` (its "
                                "key), and `at`, an instant as 2026-11-01T10:00:00+08:00"));
    wish.kind = Wish::Kind::Explain;
    wish.question = {*customer, campaign ? *campaign : "", *instant, message ? *message : ""};
  }
  if (asked.path == "/v1/backups") {
    wish.kind = Wish::Kind::Backup;
    return begin(std::move(wish), std::move(reply));
  }
  const auto answer_with = [&] {
    auto place = std::make_shared<net::Reply>(std::move(reply));
    wish.answer = [place](Result<std::string> status) {
      place->send(
          status ? with(200, *std::move(status))
                 : refused(status_of(status.error()), status.error().code, status.error().what));
    };
    {
      const std::lock_guard lock(mutex_);
      wishes_.push_back(std::move(wish));
    }
    wake_();
  };
  if (asked.path == "/v1/status" || asked.path == "/v1/explain") return answer_with();
  const std::string *by = net::find(query, "by"), *why = net::find(query, "why");
  if (!by || by->empty() || !why || why->empty() || by->size() > longest_word ||
      why->size() > longest_word)
    return reply.send(refused(400, "who",
                              "say who does it and why, in `by` and `why` of the address, each "
                              "with at most 500 bytes"));
  wish.said = {*by, *why};
  if (asked.path == "/v1/open") {
    wish.kind = Wish::Kind::Open;
    return answer_with();
  }
  wish.kind = asked.path == "/v1/rollback"  ? Wish::Kind::Rollback
              : asked.path == "/v1/promote" ? Wish::Kind::Promote
                                            : Wish::Kind::Deploy;
  auto ways = ways_of(query);
  if (!ways) return reply.send(refused(400, ways.error().code, ways.error().what));
  wish.ways = *std::move(ways);
  wish.is_preview = net::find(query, "preview") != nullptr;
  wish.package = std::move(asked.body);
  begin(std::move(wish), std::move(reply));
}

void Operations::begin(Wish wish, net::Reply reply) {
  std::uint64_t number = 0;
  {
    const std::lock_guard lock(mutex_);
    if (!is_busy_) {
      is_busy_ = true;
      number = wish.number = ++last_;
      stage_ = "begun";
      wishes_.push_back(std::move(wish));
    }
  }
  if (number == 0)
    return reply.send(
        refused(409, "busy", "a deploy or a backup is under way already; one thing at a time"));
  reply.send(with(202, "{\"number\":" + std::to_string(number) + "}\n"));
  wake_();
}

void Operations::show(std::uint64_t number, net::Reply reply) {
  const std::lock_guard lock(mutex_);
  std::string out = "{\"number\":" + std::to_string(number);
  for (const auto& [which, outcome] : outcomes_) {
    if (which != number) continue;
    member(out, "state", outcome.code.empty() ? outcome.state : "refused");
    if (!outcome.code.empty()) member(out, "error", outcome.code);
    member(out, "message", outcome.told);
    out += ",\"paused_ms\":" + std::to_string(outcome.pause.count()) + "}\n";
    return reply.send(with(200, std::move(out)));
  }
  if (number == 0 || number != last_)
    return reply.send(
        refused(404, "number", "this server knows nothing of a deploy or backup by that number"));
  member(out, "state", "under way");
  member(out, "message", stage_);
  reply.send(with(200, out + "}\n"));
}

std::optional<Operations::Wish> Operations::take() {
  const std::lock_guard lock(mutex_);
  if (wishes_.empty()) return std::nullopt;
  Wish wish = std::move(wishes_.front());
  wishes_.pop_front();
  return wish;
}

void Operations::say(std::string stage) {
  const std::lock_guard lock(mutex_);
  stage_ = std::move(stage);
}

void Operations::over(std::uint64_t number, Outcome outcome) {
  const std::lock_guard lock(mutex_);
  outcomes_.emplace_back(number, std::move(outcome));
  if (outcomes_.size() > outcomes_kept) outcomes_.pop_front();
  is_busy_ = false;
}

std::string status_json(const deploy::Deployment& deployment, const deploy::Live& live,
                        const deploy::Census& census, std::string_view budgets,
                        std::string_view pools, std::string_view figures) {
  std::string out = "{\"live\":";
  append_turn(out, deployment.turns.back());
  out += ",\"history\":[";
  for (std::size_t i = deployment.turns.size(); i > 0; --i) {
    out += i == deployment.turns.size() ? "" : ",";
    append_turn(out, deployment.turns[i - 1]);
  }
  out += "],\"under_way\":[";
  bool is_first = true;
  for (std::size_t i = 0; i < census.size(); ++i) {
    if (!census[i].is_needed()) continue;
    out += std::exchange(is_first, false) ? "{" : ",{";
    member(out, "campaign", plan::full_name_of(live.plan.campaigns[i]));
    out += ",\"journeys\":" + std::to_string(census[i].journeys) +
           ",\"goals\":" + std::to_string(census[i].goals) +
           ",\"receipts\":" + std::to_string(census[i].receipts) + "}";
  }
  out += "],\"budgets\":";
  out += budgets;
  out += ",\"pools\":";
  out += pools;
  out += ",\"figures\":";
  out += figures.substr(0, figures.find_last_not_of('\n') + 1);
  return out + "}\n";
}

}  // namespace koi::serve
