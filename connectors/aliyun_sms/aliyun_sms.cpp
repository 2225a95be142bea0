// AliyunSms: text messages through Alibaba Cloud's short message service (Dysmsapi 2017-05-25,
// SendSms and SendBatchSms), signed by ACS3-HMAC-SHA256. The service takes approved templates
// alone, and knows no key.

#include <array>
#include <set>
#include <variant>

#include "aliyun_sms/acs3.h"
#include "aliyun_sms/push.h"
#include "aliyun_sms/reply.h"
#include "aliyun_sms/templates.h"
#include "base/hash.h"
#include "base/json.h"
#include "channel/connector.h"
#include "channel/crypto.h"
#include "channel/limits.h"
#include "channel/push_crypt.h"
#include "channel/sent_to.h"

namespace koi::connectors {

using namespace channel;

namespace {

constexpr std::array<std::string_view, 2> number_forms{"international", "national"};
constexpr std::array settings{
    Setting{.name = "access_key_id", .kind = Setting::Kind::Text, .help = "Says who we are."},
    Setting{
        .name = "access_key_secret", .kind = Setting::Kind::Secret, .help = "Signs each request."},
    Setting{.name = "sign",
            .kind = Setting::Kind::Text,
            .help = "The signature that messages begin with, as approved, without 【】."},
    Setting{.name = "templates",
            .kind = Setting::Kind::Path,
            .help = "Which template each content is sent by, where the rules do not name it: a "
                    "file of JSON, see below.",
            .optional = true},
    Setting{.name = "most_segments",
            .kind = Setting::Kind::Number,
            .help = "A text that would be charged as more messages is refused.",
            .otherwise = "5",
            .least = 1,
            .most = 20},
    Setting{
        .name = "gather_within",
        .kind = Setting::Kind::Duration,
        .help = "Messages of one template that come within it go in one request; else each alone.",
        .optional = true,
        .least = 1'000,
        .most = 60'000'000},
    Setting{
        .name = "callback_token",
        .kind = Setting::Kind::Secret,
        .help = "Must stand in the callback address as `?token=`; without it nothing is received.",
        .optional = true},
    Setting{.name = "report_within",
            .kind = Setting::Kind::Duration,
            .help = "How long the carrier's report is waited for; else sent is delivered.",
            .optional = true,
            .least = 60'000'000,
            .most = 259'200'000'000},
    Setting{.name = "numbers",
            .kind = Setting::Kind::Text,
            .help = "How the customers' numbers are kept: `+8613800138000`, or `13800138000`.",
            .otherwise = "international",
            .choices = number_forms},
    Setting{.name = "url",
            .kind = Setting::Kind::Url,
            .help = "The service's address; other regions have others.",
            .otherwise = "https://dysmsapi.aliyuncs.com"},
    connect_within,
    answer_within,
};

// https://help.aliyun.com/document_detail/101346.html
constexpr std::array per_person{
    PerPerson{"notices of one signature", "cap CHANNEL 50 per calendar day"}};
constexpr std::array lengths{
    Length{.of = Length::Of::BodyAndLink, .unit = Unit::Segments, .most_is = "most_segments"}};
constexpr std::array forms{Form{.format = Format::Template, .lengths = lengths}};

// What stands before each message.
std::string signed_with(const std::string& sign) { return "【" + sign + "】"; }

// As the service wants it: eleven digits in mainland China, else country code and number.
std::string number_of(std::string_view phone) {
  std::string digits;
  for (const char c : phone)
    if (c >= '0' && c <= '9') digits += c;
  if (phone.starts_with('+') && digits.starts_with("86") && digits.size() == 13) digits.erase(0, 2);
  return digits;
}

constexpr std::size_t most_together = 100;  // of SendBatchSms

// What the service gets of one message.
struct Sms {
  std::string number, sign, code, values;  // `values`: JSON, empty where the template has none
};

// A JSON array of texts.
std::string list_of(const std::vector<Sms>& all, std::string Sms::*part) {
  std::string out = "[";
  for (const Sms& sms : all) {
    out += out.size() == 1 ? "" : ",";
    append_json_string(out, sms.*part);
  }
  return out + "]";
}
// The same of what is JSON already.
std::string values_of(const std::vector<Sms>& all) {
  std::string out = "[";
  for (const Sms& sms : all)
    out += (out.size() == 1 ? "" : ",") + (sms.values.empty() ? std::string("{}") : sms.values);
  return out + "]";
}

class AliyunSms final : public Connector {
 public:
  AliyunSms(const Settings& given, SmsTemplates templates, std::string host, Tools tools)
      : tools_(std::move(tools)),
        given_(given),
        templates_(std::move(templates)),
        host_(std::move(host)) {}

  asio::awaitable<Outcome> deliver(Delivery delivery) override {
    const auto sms = sms_of(delivery);
    if (const auto* const refused = std::get_if<Refused>(&sms)) co_return *refused;
    const Sms& made = std::get<Sms>(sms);
    net::Headers parameters{{"PhoneNumbers", made.number},
                            {"SignName", made.sign},
                            {"TemplateCode", made.code},
                            {"OutId", to_hex(delivery.key)}};
    if (!made.values.empty()) parameters.push_back({"TemplateParam", made.values});
    net::Request request = signed_request("SendSms", acs3_query(std::move(parameters)), "");
    const auto response = co_await tools_.http->send(std::move(request));
    alone_.erase(delivery.key);
    co_return outcome_of(response);
  }

  // With the carrier's reports the key comes back, or what is noted here is found by it, whichever
  // life of ours it went out in.
  Duration reports_for(const Delivery&) const override {
    return given_.has("report_within") ? given_.duration("report_within") : Duration{};
  }

  Together together() const override {
    if (!given_.has("gather_within")) return {};
    return {most_together, given_.duration("gather_within")};
  }

  // One request has one template; what would be refused here is refused by itself.
  std::string alike(const Delivery& delivery) const override {
    if (alone_.contains(delivery.key)) return {};
    const auto sms = sms_of(delivery);
    return std::holds_alternative<Sms>(sms) ? std::get<Sms>(sms).code : "";
  }

  asio::awaitable<std::vector<Outcome>> deliver_together(
      std::vector<Delivery> deliveries) override {
    std::vector<Sms> all;
    for (const Delivery& delivery : deliveries) {
      auto sms = sms_of(delivery);
      KOI_ASSERT(std::holds_alternative<Sms>(sms));  // it was, when it was asked what it is like
      all.push_back(std::get<Sms>(std::move(sms)));
    }
    net::Headers form{{"PhoneNumberJson", list_of(all, &Sms::number)},
                      {"SignNameJson", list_of(all, &Sms::sign)},
                      {"TemplateCode", all[0].code},
                      {"TemplateParamJson", values_of(all)}};
    net::Request request = signed_request("SendBatchSms", "", acs3_query(std::move(form)));
    const auto response = co_await tools_.http->send(std::move(request));
    Outcome outcome = outcome_of(response);
    if (const auto* const refused = std::get_if<Refused>(&outcome);
        refused && is_of_one(*refused)) {
      // It has taken none of them, because of one that it does not name: each by itself, then.
      for (const Delivery& delivery : deliveries) note_alone(delivery.key);
      outcome = Deferred{.why = refused->why + " to all of them", .of_person = true};
    }
    // A report names the request and the number, and not the delivery.
    const std::string id = response ? biz_id_of_reply(response->body) : "";
    if (const auto* const pending = std::get_if<Pending>(&outcome); pending && !id.empty()) {
      SentTo sent;
      for (std::size_t i = 0; i < all.size(); ++i)
        sent.emplace_back(all[i].number, deliveries[i].key);
      co_await note_sent(tools_, id, std::move(sent), tools_.now() + pending->within);
    }
    co_return std::vector<Outcome>(deliveries.size(), outcome);
  }

  asio::awaitable<Received> receive(net::Asked asked) override {
    const net::Headers query = net::query_of(asked.query);
    const std::string* const token = net::find(query, "token");
    if (!given_.has("callback_token")) co_return answered(404, "there is no `callback_token`");
    if (!token || !is_same_secret(*token, given_.secret("callback_token").reveal()))
      co_return answered(403, "the token is wrong");
    const auto sent_as = [&](const std::string& request,
                             const std::string& number) -> std::optional<Hash128> {
      const std::string* const sent = tools_.notes->find(request);
      if (!sent) return std::nullopt;
      for (const auto& [who, key] : read_sent_to(*sent))
        if (who == number_of(number)) return key;
      return std::nullopt;
    };
    auto pushed =
        sms_push(asked.body, given_.text("numbers") == "international", tools_.now(), sent_as);
    if (!pushed) co_return answered(400, pushed.error().what);
    Received received = *std::move(pushed);
    received.answer.body = R"({"code":0,"msg":"ok"})";
    co_return received;
  }

 private:
  // What the service would get, or why it would not.
  std::variant<Sms, Refused> sms_of(const Delivery& delivery) const {
    if (delivery.addresses.empty()) return Refused{Failure::Unreachable, "it has no address"};
    Sms sms;
    sms.number = number_of(delivery.addresses[0].value);
    if (sms.number.size() < 5)
      return Refused{Failure::Unreachable, "its address is no phone number"};
    if (!delivery.provider_template.empty()) {  // what it says as a whole only the service knows
      sms.sign = given_.text("sign");
      sms.code = delivery.provider_template;
      if (!delivery.values.empty()) sms.values = json_of(delivery.values);
      return sms;
    }
    const auto used = templates_.find(delivery.content);
    if (used == templates_.end())
      return Refused{Failure::BadContent, "its content has no template here"};
    std::string text = delivery.body;
    if (!delivery.link.empty()) text += (text.empty() ? "" : " ") + delivery.link;
    const auto values = used->second.text.match(text);
    if (!values) return Refused{Failure::BadContent, "its text does not fit its template"};
    sms.sign = used->second.sign.empty() ? given_.text("sign") : used->second.sign;
    sms.code = used->second.code;
    if (!values->empty()) sms.values = json_of(*values);
    return sms;
  }

  Outcome outcome_of(const Result<net::Response>& response) const {
    if (!response && response.error().code == "unsent")
      return Deferred{.why = response.error().what};
    if (!response) return Unknown{response.error().what};
    Outcome outcome = sms_outcome(response->status, code_of_reply(response->body));
    if (std::holds_alternative<Done>(outcome) && given_.has("report_within"))
      return Pending{.within = given_.duration("report_within"),
                     .why = "the carrier reports on it"};
    return outcome;
  }

  // Whether it may be one of several that the service does not want, and not the account.
  static bool is_of_one(const Refused& refused) {
    return refused.failure != Failure::Credentials && refused.failure != Failure::Quota;
  }
  void note_alone(Hash128 key) {
    constexpr std::size_t most = 100'000;  // beyond it some are only tried together again
    if (alone_.size() < most) alone_.insert(key);
  }

  net::Request signed_request(const std::string& action, const std::string& query,
                              std::string form) const {
    net::Request request;
    request.method = "POST";
    request.url = given_.text("url") + (query.empty() ? "/" : "/?" + query);
    request.body = std::move(form);
    request.headers = {
        {"x-acs-action", action},
        {"x-acs-version", "2017-05-25"},
        {"x-acs-date", to_string(Timestamp{tools_.now().us / 1'000'000 * 1'000'000}, utc())},
        {"x-acs-signature-nonce", sha256_hex(random_bytes(16)).substr(0, 32)},
        {"x-acs-content-sha256", sha256_hex(request.body)}};
    if (!request.body.empty())
      request.headers.push_back({"content-type", "application/x-www-form-urlencoded"});
    net::Headers to_sign = request.headers;
    to_sign.push_back({"host", host_});
    request.headers.push_back(
        {"Authorization", acs3_authorization("POST", query, to_sign, given_.text("access_key_id"),
                                             given_.secret("access_key_secret").reveal())});
    request.connect_within = given_.duration("connect_within");
    request.answer_within = given_.duration("answer_within");
    request.max_body = std::size_t{64} << 10;
    request.once = true;  // sent twice, it would be two messages
    return request;
  }

  Tools tools_;
  Settings given_;
  SmsTemplates templates_;
  std::string host_;
  std::set<Hash128> alone_;  // that are not to go with others again
};

Result<std::unique_ptr<Connector>> open(const Settings& given, Tools tools) {
  const std::string& url = given.text("url");
  std::string host = url.substr(url.find("://") + 3);
  if (host.find_first_of("/?#") != std::string::npos)
    return Error{"settings", "`url` must end with the host, such as https://dysmsapi.aliyuncs.com"};
  const std::string& id = given.text("access_key_id");
  if (id.find_first_of(" ,=\r\n") != std::string::npos)
    return Error{"settings", "`access_key_id` must be the id alone, letters and digits"};
  SmsTemplates templates;
  if (given.has("templates")) {
    KOI_LET(templates, read_sms_templates(given.text("templates")));
  }
  return std::unique_ptr<Connector>(
      std::make_unique<AliyunSms>(given, std::move(templates), std::move(host), std::move(tools)));
}

Result<WayOf> way_of(const Given& given) {
  KOI_LET(SmsTemplates templates, read_sms_templates(given_text(given, "templates")));
  return WayOf([templates = std::move(templates), sign = given_text(given, "sign")](
                   std::string_view content, bool) {
    const auto used = templates.find(content);
    const bool has_own = used != templates.end() && !used->second.sign.empty();
    return Way{{}, signed_with(has_own ? used->second.sign : sign)};
  });
}

}  // namespace

const ConnectorType& aliyun_sms() {
  static const ConnectorType type{
      .name = "aliyun_sms",
      .summary = "Sends text messages through Alibaba Cloud's short message service.",
      .settings = settings,
      .capabilities = {.repeat = Repeat::Neither,
                       .at_once = 32,
                       .receives = true,
                       .per_person = per_person,
                       .forms = forms,
                       .zone = "Asia/Shanghai"},
      .open = open,
      .way_of = way_of};
  return type;
}

}  // namespace koi::connectors
