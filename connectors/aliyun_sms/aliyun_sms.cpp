// AliyunSms: text messages through Alibaba Cloud's short message service (Dysmsapi 2017-05-25,
// SendSms), signed by ACS3-HMAC-SHA256. The service takes approved templates alone, and knows no
// key.

#include <array>

#include "aliyun_sms/acs3.h"
#include "aliyun_sms/push.h"
#include "aliyun_sms/reply.h"
#include "aliyun_sms/templates.h"
#include "base/hash.h"
#include "channel/connector.h"
#include "channel/crypto.h"
#include "channel/push_crypt.h"

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
            .help = "Which template each content is sent by: a file of JSON, see below."},
    Setting{.name = "most_segments",
            .kind = Setting::Kind::Number,
            .help = "A text that would be charged as more messages is refused.",
            .otherwise = "5",
            .least = 1,
            .most = 20},
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

// As the service wants it: eleven digits in mainland China, else country code and number.
std::string number_of(std::string_view phone) {
  std::string digits;
  for (const char c : phone)
    if (c >= '0' && c <= '9') digits += c;
  if (phone.starts_with('+') && digits.starts_with("86") && digits.size() == 13) digits.erase(0, 2);
  return digits;
}

class AliyunSms final : public Connector {
 public:
  AliyunSms(const Settings& given, SmsTemplates templates, std::string host, Tools tools)
      : tools_(std::move(tools)),
        given_(given),
        templates_(std::move(templates)),
        host_(std::move(host)) {}

  asio::awaitable<Outcome> deliver(Delivery delivery) override {
    if (delivery.addresses.empty()) co_return Refused{Failure::Unreachable, "it has no address"};
    const std::string number = number_of(delivery.addresses[0].value);
    if (number.size() < 5)
      co_return Refused{Failure::Unreachable, "its address is no phone number"};
    const auto used = templates_.find(delivery.content);
    if (used == templates_.end())
      co_return Refused{Failure::BadContent, "its content has no template here"};
    std::string text = delivery.body;
    if (!delivery.link.empty()) text += (text.empty() ? "" : " ") + delivery.link;
    const auto values = used->second.text.match(text);
    if (!values) co_return Refused{Failure::BadContent, "its text does not fit its template"};
    const std::string& sign = used->second.sign.empty() ? given_.text("sign") : used->second.sign;
    const std::size_t segments = sms_segments("【" + sign + "】" + text);
    if (segments > static_cast<std::size_t>(given_.number("most_segments")))
      co_return Refused{Failure::BadContent,
                        "it would be charged as " + std::to_string(segments) + " messages"};

    net::Headers parameters{{"PhoneNumbers", number},
                            {"SignName", sign},
                            {"TemplateCode", used->second.code},
                            {"OutId", to_hex(delivery.key)}};
    if (!values->empty()) parameters.push_back({"TemplateParam", json_of(*values)});
    net::Request request = signed_request(acs3_query(std::move(parameters)));
    const auto response = co_await tools_.http->send(std::move(request));
    if (response) {
      const Outcome outcome = sms_outcome(response->status, code_of_reply(response->body));
      if (std::holds_alternative<Done>(outcome) && given_.has("report_within"))
        co_return Pending{.within = given_.duration("report_within"),
                          .why = "the carrier reports on it"};
      co_return outcome;
    }
    if (response.error().code == "unsent") co_return Deferred{.why = response.error().what};
    co_return Unknown{response.error().what};
  }

  asio::awaitable<Received> receive(net::Asked asked) override {
    const net::Headers query = net::query_of(asked.query);
    const std::string* const token = net::find(query, "token");
    if (!given_.has("callback_token")) co_return answered(404, "there is no `callback_token`");
    if (!token || !is_same_secret(*token, given_.secret("callback_token").reveal()))
      co_return answered(403, "the token is wrong");
    auto pushed = sms_push(asked.body, given_.text("numbers") == "international", tools_.now());
    if (!pushed) co_return answered(400, pushed.error().what);
    Received received = *std::move(pushed);
    received.answer.body = R"({"code":0,"msg":"ok"})";
    co_return received;
  }

 private:
  net::Request signed_request(const std::string& query) const {
    net::Request request;
    request.method = "POST";
    request.url = given_.text("url") + "/?" + query;
    request.headers = {
        {"x-acs-action", "SendSms"},
        {"x-acs-version", "2017-05-25"},
        {"x-acs-date", to_string(Timestamp{tools_.now().us / 1'000'000 * 1'000'000}, utc())},
        {"x-acs-signature-nonce", sha256_hex(random_bytes(16)).substr(0, 32)},
        {"x-acs-content-sha256", sha256_hex("")}};
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
};

Result<std::unique_ptr<Connector>> open(const Settings& given, Tools tools) {
  const std::string& url = given.text("url");
  std::string host = url.substr(url.find("://") + 3);
  if (host.find_first_of("/?#") != std::string::npos)
    return Error{"settings", "`url` must end with the host, such as https://dysmsapi.aliyuncs.com"};
  const std::string& id = given.text("access_key_id");
  if (id.find_first_of(" ,=\r\n") != std::string::npos)
    return Error{"settings", "`access_key_id` must be the id alone, letters and digits"};
  KOI_LET(SmsTemplates templates, read_sms_templates(given.text("templates")));
  return std::unique_ptr<Connector>(
      std::make_unique<AliyunSms>(given, std::move(templates), std::move(host), std::move(tools)));
}

}  // namespace

const ConnectorType& aliyun_sms() {
  static const ConnectorType type{
      .name = "aliyun_sms",
      .summary = "Sends text messages through Alibaba Cloud's short message service.",
      .settings = settings,
      .capabilities = {.repeat = Repeat::Neither, .at_once = 32, .receives = true},
      .open = open};
  return type;
}

}  // namespace koi::connectors
