// WechatOfficial: messages of a WeChat official account (service account): templates, subscription
// notices, and customer-service messages while their window is open. The platform lends a token
// (stable_token), which is kept and renewed.
#include <array>

#include "base/json.h"
#include "channel/connector.h"
#include "channel/delivery_json.h"
#include "channel/token_cache.h"
#include "wechat_official/codes.h"
#include "wechat_official/messages.h"

namespace koi::connectors {

using namespace channel;

namespace {

constexpr std::array settings{
    Setting{.name = "app_id", .kind = Setting::Kind::Text, .help = "The account's AppID."},
    Setting{.name = "app_secret", .kind = Setting::Kind::Secret, .help = "Its AppSecret."},
    Setting{.name = "messages",
            .kind = Setting::Kind::Path,
            .help = "How each content is sent: a file of JSON, see below; without it as "
                    "customer-service messages.",
            .optional = true},
    Setting{.name = "url",
            .kind = Setting::Kind::Url,
            .help = "The platform's address.",
            .otherwise = "https://api.weixin.qq.com"},
    connect_within,
    // An attempt may be two requests: it is not to be cut off in the second.
    Setting{.name = "answer_within",
            .kind = Setting::Kind::Duration,
            .help = "How long a request may take.",
            .otherwise = "20s",
            .least = 10'000,
            .most = 50'000'000},
};

struct Reach {
  std::string url;
  Duration connect_within, answer_within;
};

net::Request request_to(const Reach& reach, const std::string& path, std::string body) {
  net::Request request;
  request.method = "POST";
  request.url = reach.url + path;
  request.headers = {{"Content-Type", "application/json; charset=utf-8"}};
  request.body = std::move(body);
  request.connect_within = reach.connect_within;
  request.answer_within = reach.answer_within;
  request.max_body = std::size_t{64} << 10;
  return request;
}

// Errors hold an outcome for the messages that need the token: "credentials", "quota", "throttled"
// or "later".
asio::awaitable<Result<LentToken>> stable_token(net::Client* http, Reach reach, std::string app_id,
                                                Secret secret) {
  std::string body = "{";
  append_field(body, "grant_type", "client_credential");
  append_field(body, "appid", app_id);
  append_field(body, "secret", secret.reveal());
  net::Request request =
      request_to(reach, "/cgi-bin/stable_token", body + R"(,"force_refresh":false})");
  const auto response = co_await http->send(std::move(request));
  if (!response) co_return Error{"later", response.error().what};
  const WechatReply reply = wechat_reply(response->body);
  if (!reply.token.empty() && reply.lasts_s > 0 && reply.lasts_s <= 86'400 &&
      reply.token.size() <= 4096) {
    LentToken lent{reply.token, seconds(reply.lasts_s)};
    co_return lent;
  }
  if (!reply.code || *reply.code == 0) co_return Error{"later", "asked for a token, it gave none"};
  const Outcome outcome = wechat_token_outcome(*reply.code);
  if (const auto* const refused = std::get_if<Refused>(&outcome))
    co_return Error{std::string(name_of(refused->failure)), refused->why};
  const Deferred& deferred = std::get<Deferred>(outcome);
  co_return Error{deferred.throttled ? "throttled" : "later", deferred.why};
}

Outcome without_token(const Error& error) {
  if (const Failure failure = failure_of(error.code); failure != Failure::None)
    return Refused{failure, error.what};
  return Deferred{.throttled = error.code == "throttled", .why = error.what};
}

class WechatOfficial final : public Connector {
 public:
  WechatOfficial(const Settings& given, WechatMessages messages, Tools tools)
      : tools_(std::move(tools)),
        messages_(std::move(messages)),
        reach_{given.text("url"), given.duration("connect_within"),
               given.duration("answer_within")},
        tokens_(tools_.executor, tools_.now, minutes(4),
                [http = tools_.http, reach = reach_, id = given.text("app_id"),
                 secret = given.secret("app_secret")] {
                  return stable_token(http, reach, id, secret);
                }) {}

  asio::awaitable<Outcome> deliver(Delivery delivery) override {
    if (delivery.addresses.empty()) co_return Refused{Failure::Unreachable, "it has no address"};
    static const WechatMessage as_it_is;
    const auto named = messages_.find(delivery.content);
    const auto made = wechat_request(named == messages_.end() ? as_it_is : named->second, delivery,
                                     delivery.addresses[0].value);
    if (!made) co_return Refused{Failure::BadContent, "its text does not fit its template"};

    for (bool again = false;; again = true) {
      const auto token = co_await tokens_.get();
      if (!token) co_return without_token(token.error());
      net::Request request = request_to(
          reach_, made->path + "?access_token=" + net::percent_encoded(*token), made->body);
      request.once = true;  // sent twice, it might be two messages
      const auto response = co_await tools_.http->send(std::move(request));
      if (!response && response.error().code == "unsent")
        co_return Deferred{.why = response.error().what};
      if (!response) co_return Unknown{response.error().what};
      const WechatReply reply = wechat_reply(response->body);
      if (response->status != 200 || !reply.readable || !reply.code)
        co_return Unknown{"it answered what cannot be read, with status " +
                          std::to_string(response->status)};
      if (!is_of_token(*reply.code) || again) co_return wechat_outcome(*reply.code);
      tokens_.refused(*token);
    }
  }

 private:
  Tools tools_;
  WechatMessages messages_;
  Reach reach_;
  TokenCache tokens_;
};

Result<std::unique_ptr<Connector>> open(const Settings& given, Tools tools) {
  WechatMessages messages;
  if (given.has("messages")) {
    KOI_LET(messages, read_wechat_messages(given.text("messages")));
  }
  return std::unique_ptr<Connector>(
      std::make_unique<WechatOfficial>(given, std::move(messages), std::move(tools)));
}

}  // namespace

const ConnectorType& wechat_official() {
  static const ConnectorType type{
      .name = "wechat_official",
      .summary = "Sends messages of a WeChat official account to its followers.",
      .settings = settings,
      .capabilities = {.repeat = Repeat::Neither, .at_once = 32},
      .open = open};
  return type;
}

}  // namespace koi::connectors
