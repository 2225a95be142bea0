// WechatOfficial: messages of a WeChat official account (service account): templates, subscription
// notices, and customer-service messages while their window is open. The platform lends a token
// (stable_token), which is kept and renewed.

#include <array>
#include <deque>
#include <map>

#include "base/json.h"
#include "channel/connector.h"
#include "channel/crypto.h"
#include "channel/delivery_json.h"
#include "channel/push_crypt.h"
#include "channel/token_cache.h"
#include "wechat_official/codes.h"
#include "wechat_official/inbound.h"
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
    Setting{.name = "token",
            .kind = Setting::Kind::Secret,
            .help = "The Token of the account's callback address; without it nothing is received.",
            .optional = true},
    Setting{.name = "encoding_key",
            .kind = Setting::Kind::Secret,
            .help = "Its EncodingAESKey; with it only encrypted pushes are taken.",
            .optional = true},
    Setting{.name = "follow_consents",
            .kind = Setting::Kind::Flag,
            .help = "Whether who follows the account has consented to messages through it.",
            .otherwise = "true"},
    Setting{.name = "replies",
            .kind = Setting::Kind::Path,
            .help = "Texts that answer followers at once: a file of JSON, see below.",
            .optional = true},
    Setting{.name = "report_within",
            .kind = Setting::Kind::Duration,
            .help = "How long a template message's fate is waited for; else sent is delivered.",
            .optional = true,
            .least = 60'000'000,
            .most = 259'200'000'000},
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

// How pushes are verified, and answered.
struct Inbound {
  Secret token;
  std::optional<PushCrypt> crypt;
  bool follow_consents = true;
  WechatReplies replies;
};

// Which delivery a template message was, by the platform's number of it; the last hundred thousand.
class Sent {
 public:
  void note(const std::string& message, Hash128 key) {
    if (!keys_.emplace(message, key).second) return;
    order_.push_back(message);
    if (order_.size() <= most) return;
    keys_.erase(order_.front());
    order_.pop_front();
  }
  std::optional<Hash128> find(const std::string& message) const {
    const auto found = keys_.find(message);
    return found == keys_.end() ? std::nullopt : std::optional(found->second);
  }

 private:
  static constexpr std::size_t most = 100'000;
  std::map<std::string, Hash128> keys_;
  std::deque<std::string> order_;
};

class WechatOfficial final : public Connector {
 public:
  WechatOfficial(const Settings& given, WechatMessages messages, Inbound inbound, Tools tools)
      : tools_(std::move(tools)),
        messages_(std::move(messages)),
        inbound_(std::move(inbound)),
        reach_{given.text("url"), given.duration("connect_within"),
               given.duration("answer_within")},
        tokens_(tools_.executor, tools_.now, minutes(4),
                [http = tools_.http, reach = reach_, id = given.text("app_id"),
                 secret = given.secret("app_secret")] {
                  return stable_token(http, reach, id, secret);
                }) {
    if (given.has("report_within")) report_within_ = given.duration("report_within");
  }

  asio::awaitable<Outcome> deliver(Delivery delivery) override {
    if (delivery.addresses.empty()) co_return Refused{Failure::Unreachable, "it has no address"};
    static const WechatMessage as_it_is;
    const auto named = messages_.find(delivery.content);
    const WechatMessage& message = named == messages_.end() ? as_it_is : named->second;
    const auto made = wechat_request(message, delivery, delivery.addresses[0].value);
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
      if (*reply.code == 0 && message.as == WechatMessage::As::Template && report_within_ &&
          !reply.message.empty()) {
        sent_.note(reply.message, delivery.key);
        co_return Pending{.within = *report_within_, .why = "the platform reports on it"};
      }
      if (!is_of_token(*reply.code) || again) co_return wechat_outcome(*reply.code);
      tokens_.refused(*token);
    }
  }

  asio::awaitable<Received> receive(net::Asked asked) override {
    if (inbound_.token.reveal().empty()) co_return answered(404, "there is no `token`");
    const net::Headers query = net::query_of(asked.query);
    const auto value = [&](std::string_view name) {
      const std::string* const found = net::find(query, name);
      return found ? std::string_view(*found) : std::string_view();
    };
    const bool is_signed = is_same_secret(
        value("signature"),
        push_signature({inbound_.token.reveal(), value("timestamp"), value("nonce")}));
    if (!is_signed) co_return answered(403, "the signature is wrong");
    if (asked.method == "GET") co_return answered(200, std::string(value("echostr")));
    if (asked.method != "POST") co_return answered(405, "GET or POST");
    auto outer = parse_xml(asked.body);
    if (!outer) co_return answered(400, "this is no message");
    if (!inbound_.crypt) co_return taken(*outer);
    const std::string& sealed = outer->text_of("Encrypt");
    if (!inbound_.crypt->is_signed(value("msg_signature"), value("timestamp"), value("nonce"),
                                   sealed))
      co_return answered(403, "the signature is wrong");
    const auto opened = inbound_.crypt->decrypt(sealed);
    if (!opened) co_return answered(400, "this cannot be decrypted");
    const auto inner = parse_xml(*opened);
    if (!inner) co_return answered(400, "this is no message");
    co_return taken(*inner);
  }

 private:
  Received taken(const XmlElement& push) const {
    const Timestamp now = tools_.now();
    std::string reply = wechat_passive_reply(push, inbound_.replies, now);
    Received received = answered(200, reply.empty() ? "success" : sealed(std::move(reply), now));
    if (!reply.empty()) received.answer.content_type = "text/xml; charset=utf-8";
    received.events = told_by_wechat(push, inbound_.follow_consents, now);
    if (const auto fate = fate_by_wechat(push))
      if (const auto key = sent_.find(fate->message))
        received.reports.push_back({*key, fate->failure});
    return received;
  }

  // As the platform wants a reply where pushes are encrypted.
  std::string sealed(std::string reply, Timestamp now) const {
    if (!inbound_.crypt) return reply;
    const std::string chance = random_bytes(24);
    const std::string encrypted = inbound_.crypt->encrypt(reply, chance.substr(0, 16));
    const std::string second = std::to_string(now.us / 1'000'000);
    const std::string nonce = std::to_string(hash64(chance.substr(16)) % 1'000'000'000);
    std::string out = "<xml>";
    append_xml(out, "Encrypt", encrypted);
    append_xml(out, "MsgSignature", inbound_.crypt->signature(second, nonce, encrypted));
    out += "<TimeStamp>" + second + "</TimeStamp>";
    append_xml(out, "Nonce", nonce);
    return out + "</xml>";
  }

  Tools tools_;
  WechatMessages messages_;
  Inbound inbound_;
  std::optional<Duration> report_within_;
  Sent sent_;
  Reach reach_;
  TokenCache tokens_;
};

Result<std::unique_ptr<Connector>> open(const Settings& given, Tools tools) {
  WechatMessages messages;
  if (given.has("messages")) {
    KOI_LET(messages, read_wechat_messages(given.text("messages")));
  }
  Inbound inbound;
  inbound.follow_consents = given.flag("follow_consents");
  if (given.has("token")) inbound.token = given.secret("token");
  if (given.has("encoding_key")) {
    if (!given.has("token"))
      return Error{"settings", "`encoding_key` needs `token`, which stands beside it on the page"};
    auto crypt = PushCrypt::open(inbound.token.reveal(), given.secret("encoding_key").reveal(),
                                 given.text("app_id"));
    if (!crypt) return Error{"settings", "`encoding_key`: " + crypt.error().what};
    inbound.crypt = *std::move(crypt);
  }
  if (given.has("replies")) {
    KOI_LET(inbound.replies, read_wechat_replies(given.text("replies")));
  }
  return std::unique_ptr<Connector>(std::make_unique<WechatOfficial>(
      given, std::move(messages), std::move(inbound), std::move(tools)));
}

}  // namespace

const ConnectorType& wechat_official() {
  static const ConnectorType type{
      .name = "wechat_official",
      .summary = "Sends messages of a WeChat official account to its followers.",
      .settings = settings,
      .capabilities = {.repeat = Repeat::Neither, .at_once = 32, .receives = true},
      .open = open};
  return type;
}

}  // namespace koi::connectors
