// WechatOfficial: messages of a WeChat official account (service account): templates, subscription
// notices, customer-service messages, and one text to many; its codes and its tags. The platform
// lends a token (stable_token), which is kept and renewed.

#include <algorithm>
#include <array>
#include <map>

#include "base/hash.h"
#include "base/json.h"
#include "channel/codes.h"
#include "channel/connector.h"
#include "channel/crypto.h"
#include "channel/delivery_json.h"
#include "channel/limits.h"
#include "channel/push_crypt.h"
#include "channel/sent_to.h"
#include "channel/token_cache.h"
#include "tag_call.h"
#include "wechat_official/codes.h"
#include "wechat_official/inbound.h"
#include "wechat_official/messages.h"
#include "wechat_official/tagging.h"

namespace koi::connectors {

using namespace channel;

namespace {

constexpr std::array<std::string_view, 2> deeds{"messages", "tags"};
// https://developers.weixin.qq.com/doc/offiaccount/Customer_Service/Customer_Service_Messages.html
constexpr std::array per_person{
    PerPerson{"customer-service messages",
              "open 48 hours after replied up to 5, 1 minute after follow up to 3, 1 minute after "
              "scan up to 3, 1 minute after menu up to 3",
              "customer_service"},
    PerPerson{"mass messages", "cap CHANNEL 4 per calendar month", "mass"},
};
// Of an account with fewer than 100,000 followers.
constexpr std::array template_amounts{Amount{100'000, Amount::Per::Day, Amount::Of::Messages}};
constexpr std::array mass_amounts{Amount{60, Amount::Per::Minute, Amount::Of::Requests}};
constexpr std::array forms{
    Form{.name = "customer_service", .format = Format::Text},
    Form{.name = "template", .format = Format::Template, .amounts = template_amounts},
    Form{.name = "subscription", .format = Format::Template},
    Form{.name = "mass", .format = Format::Text, .amounts = mass_amounts},
    Form{.name = "tags", .format = Format::Tag},
};
constexpr std::array settings{
    Setting{.name = "app_id", .kind = Setting::Kind::Text, .help = "The account's AppID."},
    Setting{.name = "app_secret", .kind = Setting::Kind::Secret, .help = "Its AppSecret."},
    Setting{.name = "does",
            .kind = Setting::Kind::Text,
            .help = "What deliveries are: messages, or, of a webhook, tags to be put on followers.",
            .otherwise = "messages",
            .choices = deeds},
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
            .help = "How long a template or mass message's fate is waited for; else sent is "
                    "delivered.",
            .optional = true,
            .least = 60'000'000,
            .most = 259'200'000'000},
    Setting{.name = "gather_within",
            .kind = Setting::Kind::Duration,
            .help = "Mass messages with the same text that come within it are one.",
            .otherwise = "1m",
            .least = 1'000,
            .most = 3'600'000'000},
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

class WechatOfficial final : public Connector, public MakesCodes {
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
    const bool has_mass = std::any_of(messages_.begin(), messages_.end(), [](const auto& each) {
      return each.second.as == WechatMessage::As::Mass;
    });
    if (has_mass) together_ = {most_in_mass, given.duration("gather_within")};
    tags_ = given.text("does") == "tags";
  }

  asio::awaitable<Outcome> deliver(Delivery delivery) override {
    if (tags_) co_return co_await tag(std::move(delivery.body));
    if (delivery.addresses.empty()) co_return Refused{Failure::Unreachable, "it has no address"};
    const std::string& person = delivery.addresses[0].value;
    const WechatMessage& message = message_of(delivery);
    if (message.as == As::Mass) {
      if (wechat_text(delivery).empty()) co_return Refused{Failure::BadContent, "it says nothing"};
      co_return Deferred{.why = "a mass message needs two people or more", .of_person = true};
    }
    const auto made = wechat_request(message, delivery, person);
    if (!made) co_return Refused{Failure::BadContent, "its text does not fit its template"};

    const Posted posted = co_await post(made->path, made->body);
    if (posted.trouble) co_return *posted.trouble;
    const std::int64_t code = *posted.reply.code;
    if (code == 0 && message.as == As::Template && report_within_ &&
        !posted.reply.message.empty()) {
      SentTo sent{{"", delivery.key}};
      const Pending pending = reported();
      co_await note_sent(tools_, posted.reply.message, std::move(sent),
                         tools_.now() + pending.within);
      co_return pending;
    }
    co_return wechat_outcome(code);
  }

  // Those with one text are one mass message.
  Together together() const override { return together_; }
  std::string alike(const Delivery& delivery) const override {
    if (tags_ || delivery.addresses.empty() || message_of(delivery).as != As::Mass) return {};
    const std::string text = wechat_text(delivery);
    if (text.empty()) return {};
    return to_hex(hash128(text));  // of a long text many wait
  }
  asio::awaitable<std::vector<Outcome>> deliver_together(
      std::vector<Delivery> deliveries) override {
    const WechatRequest request = wechat_mass_request(deliveries);
    const Posted posted = co_await post(request.path, request.body);
    Outcome all = posted.trouble ? *posted.trouble : wechat_outcome(*posted.reply.code);
    // It takes none of them because of one whom it does not name.
    if (auto* const refused = std::get_if<Refused>(&all);
        refused && refused->failure == Failure::Unreachable)
      refused->failure = Failure::Failed;
    if (std::holds_alternative<Done>(all) && report_within_ && !posted.reply.message.empty()) {
      SentTo sent;
      for (const Delivery& delivery : deliveries) sent.emplace_back("", delivery.key);
      const Pending pending = reported();
      co_await note_sent(tools_, mass_mark + posted.reply.message, std::move(sent),
                         tools_.now() + pending.within);
      all = pending;
    }
    co_return std::vector<Outcome>(deliveries.size(), all);
  }

  Duration reports_for(const Delivery& delivery) const override {
    const As as = message_of(delivery).as;
    const bool is_reported = !tags_ && report_within_ && (as == As::Template || as == As::Mass);
    return is_reported ? *report_within_ : Duration{};
  }

  MakesCodes* codes() override { return this; }
  asio::awaitable<Result<std::string>> code(CodeWanted wanted) override {
    constexpr Duration longest = days(30);
    if (wanted.scene.empty() || wanted.scene.size() > 64)
      co_return Error{"code", "the platform takes a scene of 1 to 64 letters"};
    if (wanted.lasts && (*wanted.lasts < seconds(1) || *wanted.lasts > longest))
      co_return Error{"code", "a code that does not last for good lasts at most 30 days"};
    std::string body = "{";
    if (wanted.lasts)
      body += R"("expire_seconds":)" + std::to_string(wanted.lasts->us / 1'000'000) + ",";
    body += R"("action_name":")";
    body += wanted.lasts ? "QR_STR_SCENE" : "QR_LIMIT_STR_SCENE";
    body += R"(","action_info":{"scene":{)";
    append_field(body, "scene_str", wanted.scene);
    const Posted posted = co_await post("/cgi-bin/qrcode/create", body + "}}}");
    if (posted.trouble) co_return Error{"code", to_string(*posted.trouble)};
    if (posted.reply.ticket.empty())
      co_return Error{"code", "it answered " + std::to_string(posted.reply.code.value_or(0))};
    co_return "https://mp.weixin.qq.com/cgi-bin/showqrcode?ticket=" +
        net::percent_encoded(posted.reply.ticket);
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
  using As = WechatMessage::As;
  static constexpr std::size_t most_in_mass = 10'000;
  inline static const std::string mass_mark = "mass ";

  Pending reported() const {
    return {.within = *report_within_, .why = "the platform reports on it"};
  }

  const WechatMessage& message_of(const Delivery& delivery) const {
    static const WechatMessage as_it_is;
    // Who has written is answered where he wrote.
    if (!delivery.reply_to.empty()) return as_it_is;
    const auto named = messages_.find(delivery.content);
    const bool has_way = named != messages_.end();
    if (delivery.provider_template.empty()) return has_way ? named->second : as_it_is;
    // The rules name the template; the deployment may say that it is one of a subscription.
    static const WechatMessage by_template{.as = As::Template, .id = {}, .text = {}};
    return has_way && named->second.as == As::Subscription ? named->second : by_template;
  }

  // One request under the token; a token that is refused is replaced once.
  struct Posted {
    std::optional<Outcome> trouble;
    WechatReply reply;  // with a code, where there is no trouble; 0 where it said none
  };
  asio::awaitable<Posted> post(std::string path, std::string body, std::string method = "POST") {
    Posted posted;
    for (bool again = false;; again = true) {
      const auto token = co_await tokens_.get();
      if (!token) {
        posted.trouble = without_token(token.error());
        co_return posted;
      }
      net::Request request =
          request_to(reach_, path + "?access_token=" + net::percent_encoded(*token), body);
      request.method = method;
      request.once = true;  // sent twice, it might be two messages
      const auto response = co_await tools_.http->send(std::move(request));
      if (!response && response.error().code == "unsent")
        posted.trouble = Deferred{.why = response.error().what};
      else if (!response)
        posted.trouble = Unknown{response.error().what};
      if (posted.trouble) co_return posted;
      posted.reply = wechat_reply(response->body);
      if (response->status != 200 || !posted.reply.readable || !posted.reply.code) {
        posted.trouble = Unknown{"it answered what cannot be read, with status " +
                                 std::to_string(response->status)};
        co_return posted;
      }
      if (!is_of_token(*posted.reply.code) || again) co_return posted;
      tokens_.refused(*token);
    }
  }

  // Puts a tag on a follower or takes it off, as a `call` says; a tag that is not there is made.
  asio::awaitable<Outcome> tag(std::string wanted) {
    const auto tagging = read_tagging(wanted, "openid");
    if (!tagging) co_return Refused{Failure::BadContent, tagging.error().what};
    for (const bool makes : {false, true}) {
      if (tag_ids_.contains(tagging->tag)) break;
      std::string path = makes ? "/cgi-bin/tags/create" : "/cgi-bin/tags/get";
      std::string body = makes ? tag_body(tagging->tag) : "", method = makes ? "POST" : "GET";
      const Posted posted = co_await post(std::move(path), std::move(body), std::move(method));
      if (posted.trouble) co_return *posted.trouble;
      if (*posted.reply.code != 0) co_return outcome_of_tag(*posted.reply.code);
      for (const auto& [name, id] : posted.reply.tags) tag_ids_[name] = id;
    }
    const auto known = tag_ids_.find(tagging->tag);
    if (known == tag_ids_.end()) co_return Unknown{"it did not name the tag that it made"};
    std::string path = tagging->is_off ? "/cgi-bin/tags/members/batchuntagging"
                                       : "/cgi-bin/tags/members/batchtagging";
    std::string body = members_body(known->second, tagging->person);
    const Posted posted = co_await post(std::move(path), std::move(body));
    if (posted.trouble) co_return *posted.trouble;
    co_return outcome_of_tag(*posted.reply.code);
  }
  // A tag that somebody has deleted or made meanwhile is looked up again.
  Outcome outcome_of_tag(std::int64_t code) {
    if (!is_of_tag(code)) return wechat_outcome(code);
    tag_ids_.clear();
    return Deferred{.why = "it answered " + std::to_string(code), .of_person = true};
  }

  Received taken(const XmlElement& push) {
    const Timestamp now = tools_.now();
    std::string reply = wechat_passive_reply(push, inbound_.replies, now);
    Received received = answered(200, reply.empty() ? "success" : sealed(std::move(reply), now));
    if (!reply.empty()) received.answer.content_type = "text/xml; charset=utf-8";
    received.events = told_by_wechat(push, inbound_.follow_consents, now);
    if (const auto fate = fate_by_wechat(push))
      if (const auto* sent = tools_.notes->find((fate->is_mass ? mass_mark : "") + fate->message))
        for (const auto& [who, key] : read_sent_to(*sent))
          received.reports.push_back({key, fate->failure});
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
  Together together_;
  bool tags_ = false;
  std::map<std::string, std::int64_t> tag_ids_;  // by name
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

Result<WayOf> way_of(const Given& given) {
  WechatMessages messages;
  if (const std::string path = given_text(given, "messages"); !path.empty()) {
    KOI_LET(messages, read_wechat_messages(path));
  }
  const bool tags = given_text(given, "does") == "tags";
  return WayOf([messages = std::move(messages), tags](std::string_view content, bool is_answer) {
    const auto named = is_answer ? messages.end() : messages.find(content);
    return Way{tags                      ? "tags"
               : named == messages.end() ? "customer_service"
                                         : name_of(named->second.as)};
  });
}

}  // namespace

const ConnectorType& wechat_official() {
  static const ConnectorType type{
      .name = "wechat_official",
      .summary = "Sends messages of a WeChat official account to its followers.",
      .settings = settings,
      .capabilities = {.repeat = Repeat::Neither,
                       .at_once = 32,
                       .receives = true,
                       .replies = true,
                       .per_person = per_person,
                       .forms = forms,
                       .zone = "Asia/Shanghai"},
      .open = open,
      .way_of = way_of};
  return type;
}

}  // namespace koi::connectors
