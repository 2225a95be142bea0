// Api: what the server answers over HTTP. docs/operating.md lists it for those who call it.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "net/server.h"
#include "serve/callbacks.h"
#include "serve/engine.h"
#include "serve/figures.h"
#include "serve/holdings_view.h"
#include "serve/reception.h"
#include "serve/till.h"
#include "serve/touches.h"

namespace koi::serve {

// On the thread that runs the io_context, as its handler; what it is given must outlive it.
class Api {
 public:
  // Requests want `Authorization: Bearer TOKEN`, but for /healthz and /readyz, for callbacks,
  // which their connectors verify, and for the links of messages; an empty token: none.
  Api(Shown shown, std::string token);

  // `touches` is null where this deployment has no public address. Until then everything but
  // /healthz is answered with 503.
  void begin(Shown shown, Engine& engine, Reception& reception, Callbacks& callbacks,
             Touches* touches);
  // Until begin() again requests wait here; what was given to begin() is asked nothing more.
  void pause();
  // From here on 503 again, with the reason.
  void end(std::string why);
  // The same until begin(), but that POST /v1/open is asked.
  void hold(std::string why);

  // What POST /v1/deploys, /v1/promote, /v1/rollback, /v1/backups and /v1/open, GET /v1/status,
  // /v1/explain, /v1/deploys/N and /v1/backups/N ask.
  using Operate = std::function<void(net::Asked asked, net::Reply reply)>;
  void operate_with(Operate operate);
  // What POST /v1/codes asks.
  void make_codes_with(Operate make_code);

  void handle(net::Asked asked, net::Reply reply);

 private:
  void take_events(net::Asked asked, net::Reply reply);
  void call(net::Asked asked, net::Reply reply);
  // What is answered of him.
  using View = std::function<net::Answer(const core::State& state)>;
  void show(std::string subject, const std::string& query, net::Reply reply);
  void show_friends(std::string subject, plan::ReferralId referral, const std::string& query,
                    net::Reply reply);
  struct Tree;
  void show_tree(std::string subject, plan::ReferralId referral, FriendsAsked asked,
                 net::Reply reply);
  void look_below(const std::shared_ptr<Tree>& tree);
  void look(std::string subject, net::Reply reply, View view);
  static durable::Writers::Show shown_as(std::shared_ptr<net::Reply> place, View view);
  void ask_till(net::Asked asked, net::Reply reply);
  void take_codes(const net::Asked& asked, net::Reply reply);
  void ask_for(TillRequest request, const std::shared_ptr<net::Reply>& place);
  void ask(core::Call call, const std::shared_ptr<net::Reply>& place, int tries = 1);
  using Told = std::function<void(Result<core::Answer>)>;
  void decide(core::Call call, const Told& told);
  void ask_again(core::Call call, const std::shared_ptr<net::Reply>& place, int tries);
  void campaigns(net::Reply reply);
  void metrics(net::Reply reply);
  void reviews(const std::string& query, net::Reply reply);
  std::string page() const;
  bool is_allowed(const net::Asked& asked) const;
  void go_on();

  std::optional<Shown> shown_;  // always set
  std::string token_;
  Timestamp began_;
  Engine* engine_ = nullptr;
  Reception* reception_ = nullptr;
  Callbacks* callbacks_ = nullptr;
  Touches* touches_ = nullptr;  // null: this deployment has no public address
  Operate operate_, make_code_;
  bool is_paused_ = false, is_held_ = false;
  std::vector<std::pair<net::Asked, net::Reply>> waiting_;
  std::size_t waiting_bytes_ = 0;
  std::string why_not_ready_ = "the server is starting";
};

}  // namespace koi::serve
