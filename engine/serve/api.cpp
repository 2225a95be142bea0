#include "serve/api.h"

#include <openssl/crypto.h>

#include <algorithm>
#include <utility>

#include "base/json.h"
#include "serve/calls.h"
#include "serve/customer_view.h"
#include "serve/detail/paths.h"
#include "serve/figures.h"
#include "serve/holdings_view.h"
#include "serve/page.h"
#include "serve/pools.h"
#include "serve/refusal.h"
#include "serve/till.h"

namespace koi::serve {

namespace {

constexpr std::size_t timeline_lines = 100;
constexpr std::size_t most_friends_asked = 1000;
constexpr std::string_view v1_deploys = "/v1/deploys/", v1_backups = "/v1/backups/";
constexpr std::size_t most_waiting_bytes = 64u << 20;
constexpr std::string_view v1_callbacks = "/v1/callbacks/";

// What went wrong on the way of a request that was good.
net::Answer failed(const Error& error) {
  net::Answer answer = refused(503, error.code, error.what);
  if (error.code == "busy") answer.status = 429;
  if (error.code == "too_many") answer.status = 413;
  if (answer.status != 413) answer.headers.push_back({"Retry-After", "1"});
  return answer;
}

net::Answer answer_of(const std::vector<LineResult>& results) {
  std::size_t accepted = 0, duplicates = 0, refused = 0;
  std::string lines;
  for (std::size_t i = 0; i < results.size(); ++i) {
    const LineResult& result = results[i];
    accepted += result.came == Came::Accepted;
    duplicates += result.came == Came::Duplicate;
    refused += result.came == Came::Rejected || result.came == Came::UnknownType;
    lines += i == 0 ? "" : ",";
    lines += R"({"line":)" + std::to_string(i + 1) + R"(,"status":")";
    lines.append(name_of(result.came)) += '"';
    if (!result.reason.empty()) {
      lines += R"(,"reason":)";
      append_json_string(lines, result.reason);
    }
    lines += '}';
  }
  net::Answer answer;
  answer.status = !results.empty() && refused == results.size() ? 400 : 200;
  answer.body = R"({"accepted":)" + std::to_string(accepted) + R"(,"duplicates":)" +
                std::to_string(duplicates) + R"(,"rejected":)" + std::to_string(refused) +
                R"(,"results":[)" + lines + "]}\n";
  return answer;
}

bool is_lines(const net::Asked& asked) {
  const std::string* type = net::find(asked.headers, "Content-Type");
  return type && (type->find("ndjson") != std::string::npos ||
                  type->find("jsonl") != std::string::npos || type->starts_with("text/plain"));
}

}  // namespace

Api::Api(Shown shown, std::string token) : token_(std::move(token)), began_(shown.clock.now()) {
  shown_.emplace(std::move(shown));
}

void Api::begin(Shown shown, Engine& engine, Reception& reception, Callbacks& callbacks,
                Touches* touches) {
  shown_.emplace(std::move(shown));
  engine_ = &engine;
  reception_ = &reception;
  callbacks_ = &callbacks;
  touches_ = touches;
  why_not_ready_.clear();
  is_held_ = false;
  go_on();
}

void Api::operate_with(Operate operate) { operate_ = std::move(operate); }
void Api::make_codes_with(Operate make_code) { make_code_ = std::move(make_code); }
void Api::pause() { is_paused_ = true; }
void Api::end(std::string why) {
  why_not_ready_ = std::move(why);
  is_held_ = false;
  go_on();
}
void Api::hold(std::string why) {
  end(std::move(why));
  is_held_ = true;
}

// What waited is handled in the order it came.
void Api::go_on() {
  is_paused_ = false;
  waiting_bytes_ = 0;
  for (auto& [asked, reply] : std::exchange(waiting_, {}))
    handle(std::move(asked), std::move(reply));
}

// A page of another site must not speak through the browser of who sits at this machine.
bool Api::is_allowed(const net::Asked& asked) const {
  if (token_.empty()) {
    const std::string* origin = net::find(asked.headers, "Origin");
    const std::string* host = net::find(asked.headers, "Host");
    return !origin || (host && *origin == "http://" + *host);
  }
  const std::string* given = net::find(asked.headers, "Authorization");
  const std::string wanted = "Bearer " + token_;
  return given && given->size() == wanted.size() &&
         CRYPTO_memcmp(given->data(), wanted.data(), wanted.size()) == 0;
}

void Api::handle(net::Asked asked, net::Reply reply) {
  const auto is = [&](std::string_view method, std::string_view path) {
    return asked.method == method && asked.path == path;
  };
  const auto say = [&](std::string body, const char* type = "application/json") {
    net::Answer answer;
    answer.body = std::move(body);
    answer.content_type = type;
    reply.send(std::move(answer));
  };
  if (is("GET", "/healthz")) return say("{\"status\":\"ok\"}\n");
  if (is_paused_) {  // events are taken: they wait here, their callers there
    if (is("GET", "/readyz")) return say("{\"status\":\"ready\"}\n");
    if (waiting_bytes_ + asked.body.size() > most_waiting_bytes)
      return reply.send(failed({"busy", "rules are being put live, and much waits for them"}));
    waiting_bytes_ += asked.body.size();
    waiting_.emplace_back(std::move(asked), std::move(reply));
    return;
  }
  if (is("GET", "/readyz") && why_not_ready_.empty()) {
    if (engine_->is_full())
      return reply.send(refused(503, "busy", "too many messages wait to be delivered"));
    if (const auto room = shown_->directory.room_left(); !room)
      return reply.send(refused(503, room.error().code, room.error().what));
    return say("{\"status\":\"ready\"}\n");
  }
  const bool is_opening = is_held_ && is("POST", "/v1/open");
  if (!why_not_ready_.empty() && !is_opening)
    return reply.send(failed({is_held_ ? "held" : "not_ready", why_not_ready_}));
  if (asked.path.starts_with(v1_callbacks)) {
    const std::string channel = asked.path.substr(v1_callbacks.size());
    return callbacks_->take(channel, std::move(asked), std::move(reply));
  }
  if (touches_ && Touches::is_of(asked)) return touches_->take(std::move(asked), std::move(reply));
  if (!is_allowed(asked))
    return reply.send(token_.empty()
                          ? refused(403, "origin", "requests from pages of other sites are refused")
                          : refused(401, "token", "say who you are: Authorization: Bearer TOKEN"));

  if (is("POST", "/v1/events")) return take_events(std::move(asked), std::move(reply));
  if (is("POST", "/v1/deploys") || is("POST", "/v1/rollback") || is("POST", "/v1/promote") ||
      is("POST", "/v1/backups") || is("POST", "/v1/open") || is("GET", "/v1/status") ||
      is("GET", "/v1/explain") ||
      (asked.method == "GET" &&
       (asked.path.starts_with(v1_deploys) || asked.path.starts_with(v1_backups))))
    return operate_(std::move(asked), std::move(reply));
  if (is("POST", "/v1/codes")) return make_code_(std::move(asked), std::move(reply));
  if (is("GET", "/v1/campaigns")) return campaigns(std::move(reply));
  if (is("GET", "/v1/reviews")) return reviews(asked.query, std::move(reply));
  if (asked.method == "POST" && !called_campaign(asked.path).empty())
    return call(std::move(asked), std::move(reply));
  if (is("GET", "/metrics")) return metrics(std::move(reply));
  if (is("GET", "/")) {
    net::Answer answer;
    answer.body = page();
    answer.content_type = "text/html; charset=utf-8";
    answer.headers.push_back(
        {"Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'"});
    return reply.send(std::move(answer));
  }
  if (asked.path.starts_with(v1_customers) && asked.method == "GET" &&
      asked.path.size() > v1_customers.size())
    return show(asked.path.substr(v1_customers.size()), asked.query, std::move(reply));
  if ((asked.method == "POST" || asked.method == "PUT") && is_of_pools(asked.path))
    return take_codes(asked, std::move(reply));
  if (asked.method == "POST" && is_of_till(asked.path))
    return ask_till(std::move(asked), std::move(reply));
  const bool is_known =
      asked.path == "/v1/events" || asked.path == "/v1/campaigns" || asked.path == "/v1/codes" ||
      asked.path == "/v1/deploys" || asked.path == "/v1/rollback" || asked.path == "/v1/promote" ||
      asked.path == "/v1/backups" || asked.path == "/v1/open" || asked.path == "/v1/status" ||
      asked.path == "/v1/explain" || asked.path == "/metrics" || asked.path == "/" ||
      asked.path.starts_with(v1_customers) || is_of_till(asked.path) || is_of_pools(asked.path);
  reply.send(is_known ? refused(405, "method", "this address does not know that method")
                      : refused(404, "path", "there is nothing here; GET / lists what there is"));
}

void Api::take_events(net::Asked asked, net::Reply reply) {
  const bool lines = is_lines(asked);
  auto place = std::make_shared<net::Reply>(std::move(reply));
  reception_->take(std::move(asked.body), lines, [place](Result<std::vector<LineResult>> results) {
    place->send(results ? answer_of(*results) : failed(results.error()));
  });
}

void Api::call(net::Asked asked, net::Reply reply) {
  auto event =
      event_of_call(shown_->plan, called_campaign(asked.path), asked.body, shown_->clock.now());
  if (!event) {
    const int status = event.error().code == "campaign" ? 404 : 400;
    return reply.send(refused(status, event.error().code, event.error().what));
  }
  auto place = std::make_shared<net::Reply>(std::move(reply));
  reception_->take(*std::move(event), false, [place](Result<std::vector<LineResult>> results) {
    place->send(results ? answer_of(*results) : failed(results.error()));
  });
}

// The customer himself, or a part of what is known of him.
void Api::show(std::string subject, const std::string& query, net::Reply reply) {
  const auto say = [](std::string body) {
    net::Answer answer;
    answer.body = std::move(body);
    return answer;
  };
  const auto takes = [&](std::string_view part) {
    if (!subject.ends_with(part) || subject.size() == part.size()) return false;
    subject.resize(subject.size() - part.size());
    return true;
  };
  const plan::Plan& plan = shown_->plan;
  const Timestamp now = shown_->clock.now();
  if (takes("/points"))
    return look(std::move(subject), std::move(reply), [&plan, now, say](const core::State& state) {
      return say(points_view(plan, state, now));
    });
  if (takes("/incentives"))
    return look(std::move(subject), std::move(reply), [&plan, now, say](const core::State& state) {
      return say(incentives_view(plan, state, now));
    });
  for (std::size_t i = 0; i < plan.referrals.size(); ++i) {
    if (takes("/referrals/" + plan.referrals[i].symbol.name))
      return show_friends(std::move(subject), plan::ReferralId::of(i), query, std::move(reply));
  }
  auto place = std::make_shared<net::Reply>(std::move(reply));
  reception_->customer_of(std::move(subject), [=, this, &plan](Result<std::string> customer) {
    if (!customer) return place->send(failed(customer.error()));
    auto timeline = shown_->timeline.of(*customer, timeline_lines);
    if (!timeline) return place->send(failed(timeline.error()));
    engine_->writers().look(
        *customer,
        shown_as(place, [&plan, now, say, lines = *std::move(timeline)](const core::State& state) {
          return say(customer_view(plan, state, now, lines) + "\n");
        }));
  });
}

void Api::look(std::string subject, net::Reply reply, View view) {
  auto place = std::make_shared<net::Reply>(std::move(reply));
  reception_->customer_of(std::move(subject),
                          [this, place, view = std::move(view)](Result<std::string> customer) {
                            if (!customer) return place->send(failed(customer.error()));
                            engine_->writers().look(*customer, shown_as(place, view));
                          });
}

durable::Writers::Show Api::shown_as(std::shared_ptr<net::Reply> place, View view) {
  return [place = std::move(place), view = std::move(view)](Result<const core::State*> state) {
    if (!state) return place->send(failed(state.error()));
    if (!*state) return place->send(refused(404, "customer", "nobody is known by that id"));
    place->send(view(**state));
  };
}

void Api::ask_till(net::Asked asked, net::Reply reply) {
  auto request = till_request(shown_->plan, asked, shown_->clock.now());
  if (!request) {
    const bool is_nowhere = request.error().code == "path" || request.error().code == "referral" ||
                            request.error().code == "points";
    return reply.send(refused(is_nowhere ? 404 : 400, request.error().code, request.error().what));
  }
  if (engine_->is_full())
    return reply.send(failed({"busy", "more messages wait to be delivered than can be kept"}));
  auto place = std::make_shared<net::Reply>(std::move(reply));
  if (request->subject.empty()) return ask(std::move(request->call), place);
  if (request->introduction.empty()) return ask_for(*std::move(request), place);
  std::string introduction = std::move(request->introduction);
  reception_->take(
      std::move(introduction), false,
      [this, place, request = *std::move(request)](const Result<std::vector<LineResult>>& results) {
        if (!results) return place->send(failed(results.error()));
        if (results->front().came == Came::Rejected)
          return place->send(refused(400, "body", results->front().reason));
        ask_for(request, place);
      });
}

// For whoever the subject is.
void Api::ask_for(TillRequest request, const std::shared_ptr<net::Reply>& place) {
  reception_->customer_of(std::move(request.subject), [this, place, call = std::move(request.call)](
                                                          Result<std::string> customer) mutable {
    if (!customer) return place->send(failed(customer.error()));
    call.customer = *std::move(customer);
    ask(std::move(call), place);
  });
}

// Answered when all of it is durable; the same codes again are told apart from new ones.
void Api::take_codes(const net::Asked& asked, net::Reply reply) {
  auto upload = read_upload(shown_->plan, asked);
  if (!upload) {
    const int status = upload.error().code == "pool" ? 404 : 400;
    return reply.send(refused(status, upload.error().code, upload.error().what));
  }
  auto place = std::make_shared<net::Reply>(std::move(reply));
  std::vector<durable::Given> calls = std::exchange(upload->calls, {});
  std::string pool(pool_of(asked.path));
  const auto done = [this, place, pool = std::move(pool), upload = *std::move(upload)](
                        const Result<std::vector<durable::Answer>>& answers) {
    if (!answers) return place->send(failed(answers.error()));
    engine_->writers().find_codes_left(
        pool, [place, upload, answers = *answers](const Result<std::uint64_t>& left) {
          place->send(left ? upload_answer(upload, answers, *left) : failed(left.error()));
        });
  };
  engine_->places().find(
      std::move(calls), [this, place, done](Result<std::vector<durable::Given>> found) {
        if (!found) return place->send(failed(found.error()));
        if (const auto taken = engine_->writers().submit(*std::move(found), done); !taken)
          place->send(failed(taken.error()));
      });
}

// On whatever thread; answered when it is durable and decided. Whoever has turned out to be another
// meanwhile is asked for again where he is now.
void Api::ask(core::Call call, const std::shared_ptr<net::Reply>& place, int tries) {
  engine_->places().find(call, [this, call, place, tries](Result<core::Call> found) {
    if (!found) return place->send(failed(found.error()));
    decide(*found, [this, call, found = *found, place, tries](Result<core::Answer> answer) {
      if (answer) return place->send(till_answer(shown_->plan, found, *answer));
      if (answer.error().code == "moved") return ask_again(call, place, tries);
      place->send(failed(answer.error()));
    });
  });
}

void Api::ask_again(core::Call call, const std::shared_ptr<net::Reply>& place, int tries) {
  constexpr int most_tries = 5;
  if (tries == most_tries)
    return place->send(failed({"busy",
                               "this customer is being merged with another one; ask again "
                               "a little later, under the same key"}));
  if (call.customer.empty()) return ask(std::move(call), place, tries + 1);
  std::string whom = call.customer;
  engine_->places().find_customer(std::move(whom), [this, call = std::move(call), place,
                                                    tries](Result<std::string> customer) mutable {
    if (!customer) return place->send(failed(customer.error()));
    call.customer = *std::move(customer);
    ask(std::move(call), place, tries + 1);
  });
}

void Api::decide(core::Call call, const Told& told) {
  durable::Writers& writers = engine_->writers();
  if (call.kind == core::Call::Kind::Validate) return writers.validate(std::move(call), told);
  if (call.customer.empty() && writers.groups().count > 1) {  // in no group
    core::Answer nobody;
    nobody.reason = core::Reason::UnknownCode;
    return told(nobody);
  }
  const auto done = [told](const Result<std::vector<durable::Answer>>& answers) {
    if (!answers) return told(answers.error());
    const auto& answer = answers->front().call;
    if (answer) return told(*answer);
    told(Error{"set_aside", "this could not be decided; tell your operator"});
  };
  if (const auto taken = writers.submit({std::move(call)}, done); !taken) told(taken.error());
}

// Friends of one level, or of two.
void Api::show_friends(std::string subject, plan::ReferralId referral, const std::string& query,
                       net::Reply reply) {
  const net::Headers said = net::query_of(query);
  const std::string* const levels = net::find(said, "levels");
  const bool is_tree = levels && *levels == "2";
  if (levels && !is_tree && *levels != "1")
    return reply.send(refused(400, "levels", "friends are told of one level, or of two"));
  const auto limit = limit_of(said, most_friends_asked, is_tree ? most_friends_asked : SIZE_MAX);
  if (!limit) return reply.send(refused(400, limit.error().code, limit.error().what));
  FriendsAsked asked{.most = *limit};
  if (const std::string* after = net::find(said, "after")) asked.after = *after;
  asked.address = std::string(v1_customers) + net::percent_encoded(subject) + "/referrals/" +
                  net::percent_encoded(shown_->plan.referrals[referral.index()].symbol.name) +
                  "?levels=" + (is_tree ? "2" : "1") + "&limit=" + std::to_string(*limit);
  if (is_tree) return show_tree(std::move(subject), referral, std::move(asked), std::move(reply));
  look(std::move(subject), std::move(reply),
       [&plan = shown_->plan, referral, asked](const core::State& state) {
         if (const auto told = friends_of(state, referral, asked); !told)
           return refused(400, told.error().code, told.error().what);
         net::Answer answer;
         answer.body = referral_view(plan, state, referral, asked);
         return answer;
       });
}

// He himself, then his friends: one after the other, each between two batches.
struct Api::Tree {
  std::shared_ptr<net::Reply> place;
  plan::ReferralId referral;
  FriendsAsked asked;
  core::State root;
  Below below;
  std::vector<std::string> to_ask;  // from behind
};

void Api::show_tree(std::string subject, plan::ReferralId referral, FriendsAsked asked,
                    net::Reply reply) {
  auto tree = std::make_shared<Tree>();
  tree->place = std::make_shared<net::Reply>(std::move(reply));
  tree->referral = referral;
  tree->asked = std::move(asked);
  reception_->customer_of(std::move(subject), [this, tree](Result<std::string> customer) {
    if (!customer) return tree->place->send(failed(customer.error()));
    engine_->writers().look(*customer, [this, tree](Result<const core::State*> state) {
      if (!state) return tree->place->send(failed(state.error()));
      if (!*state) return tree->place->send(refused(404, "customer", "nobody is known by that id"));
      tree->root = **state;
      const auto friends = friends_of(tree->root, tree->referral, tree->asked);
      if (!friends)
        return tree->place->send(refused(400, friends.error().code, friends.error().what));
      for (const core::Friend& each : *friends) tree->to_ask.push_back(each.invitee);
      std::reverse(tree->to_ask.begin(), tree->to_ask.end());
      look_below(tree);
    });
  });
}

void Api::look_below(const std::shared_ptr<Tree>& tree) {
  if (tree->to_ask.empty()) {
    net::Answer answer;
    answer.body =
        referral_view(shown_->plan, tree->root, tree->referral, tree->asked, &tree->below);
    return tree->place->send(std::move(answer));
  }
  std::string next = std::move(tree->to_ask.back());
  tree->to_ask.pop_back();
  engine_->writers().look(next, [this, tree, next](Result<const core::State*> state) {
    if (!state) return tree->place->send(failed(state.error()));
    if (*state) tree->below[next] = friends_of(**state, tree->referral);
    look_below(tree);
  });
}

// The figures of campaigns are taken here; those of referrals by whoever decides.
void Api::campaigns(net::Reply reply) {
  auto place = std::make_shared<net::Reply>(std::move(reply));
  ask_referrals(engine_->writers(), shown_->plan,
                [&plan = shown_->plan, rules = shown_->rules, place,
                 figures = engine_->deliveries().figures()](Result<ReferralFigures> referrals) {
                  if (!referrals) return place->send(failed(referrals.error()));
                  net::Answer answer;
                  answer.body = campaigns_json(plan, rules, figures, *referrals);
                  place->send(std::move(answer));
                });
}

void Api::metrics(net::Reply reply) {
  auto place = std::make_shared<net::Reply>(std::move(reply));
  std::string text = metrics_text(*shown_, *engine_, *reception_, *callbacks_, touches_,
                                  shown_->clock.now() - began_);
  ask_referrals(engine_->writers(), shown_->plan,
                [&plan = shown_->plan, place,
                 text = std::move(text)](const Result<ReferralFigures>& referrals) {
                  net::Answer answer;
                  answer.body = text;  // which is worth more than nothing
                  if (referrals) answer.body += metrics_of(plan, *referrals);
                  answer.content_type = "text/plain; version=0.0.4; charset=utf-8";
                  place->send(std::move(answer));
                });
}

void Api::reviews(const std::string& query, net::Reply reply) {
  const auto asked = reviews_asked(net::query_of(query));
  if (!asked) return reply.send(refused(400, asked.error().code, asked.error().what));
  auto place = std::make_shared<net::Reply>(std::move(reply));
  ask_reviews(engine_->writers(), shown_->plan, *asked,
              [&plan = shown_->plan, place](const Result<Reviews>& reviews) {
                if (!reviews) return place->send(failed(reviews.error()));
                net::Answer answer;
                answer.body = reviews_json(plan, *reviews);
                place->send(std::move(answer));
              });
}

std::string Api::page() const {
  return status_page(*shown_, *engine_, shown_->clock.now() - began_);
}

}  // namespace koi::serve
