#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <set>

#include "aliyun_sms/acs3.h"
#include "aliyun_sms/push.h"
#include "aliyun_sms/reply.h"
#include "aliyun_sms/templates.h"
#include "channel/connector.h"
#include "connectors/http_provider.h"
#include "wait_for.h"

namespace koi::connectors {
const channel::ConnectorType& aliyun_sms();
namespace {

using namespace channel;
using testing::HasSubstr;

constexpr const char* access_key_id = "testId";
constexpr const char* access_key_secret = "t3stSecret";
constexpr const char* callback_token = "c4llback-token";

// The service: it takes what is signed as its documentation says, under a nonce that is new. How it
// comes to the signature is its own way: from the request as it came, field by field.
class Service final : public HttpProvider {
 public:
  explicit Service(
      std::shared_ptr<std::set<std::string>> nonces = std::make_shared<std::set<std::string>>())
      : HttpProvider(script(std::move(nonces))) {
    setenv("KOI_TEST_ALIYUN_SECRET", access_key_secret, 1);
    setenv("KOI_TEST_ALIYUN_CALLBACK", callback_token, 1);
  }
  Given settings() const override {
    return {{"url", address()},
            {"access_key_id", access_key_id},
            {"access_key_secret", "env:KOI_TEST_ALIYUN_SECRET"},
            {"callback_token", "env:KOI_TEST_ALIYUN_CALLBACK"},
            {"sign", "小店"},
            {"templates", file_with("sms_templates.json",
                                    R"({"greeting": {"code": "SMS_1", "text": "${text} ${link}"},
                                        "plain": {"code": "SMS_2", "text": "Dear ${name}, hello.",
                                                  "sign": "Shop"}})")},
            {"answer_within", within()}};
  }
  Given settings_to_gather() const override {
    Given given = settings();
    given["gather_within"] = "5s";
    return given;
  }
  std::vector<std::string> secrets() const override { return {access_key_secret, callback_token}; }

  // Of the query, or of the form.
  static std::string field(const net::Asked& asked, const std::string& name) {
    const net::Headers query = net::query_of(asked.body.empty() ? asked.query : asked.body);
    const std::string* const value = net::find(query, name);
    return value ? *value : "";
  }

 private:
  static std::string header(const net::Asked& asked, const std::string& name) {
    const std::string* const value = net::find(asked.headers, name);
    return value ? *value : "";
  }
  static std::string digest(const std::string& bytes, const char* key) {
    unsigned char out[32];
    unsigned int size = 0;
    if (key)
      HMAC(EVP_sha256(), key, static_cast<int>(std::strlen(key)),
           reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), out, &size);
    else
      EVP_Digest(bytes.data(), bytes.size(), out, &size, EVP_sha256(), nullptr);
    std::string text;
    char two[3];
    for (const unsigned char byte : out) std::snprintf(two, 3, "%02x", byte), text += two;
    return text;
  }
  static bool is_signed(const net::Asked& asked) {
    const std::string authorization = header(asked, "authorization");
    const auto part = [&](const std::string& name) {
      const std::size_t begin = authorization.find(name + "=");
      if (begin == std::string::npos) return std::string();
      const std::size_t from = begin + name.size() + 1;
      return authorization.substr(from, authorization.find(',', from) - from);
    };
    if (part("ACS3-HMAC-SHA256 Credential") != access_key_id) return false;
    std::string text = asked.method + "\n" + asked.path + "\n" + asked.query + "\n";
    std::set<std::string> named;
    std::istringstream names(part("SignedHeaders"));
    for (std::string name; std::getline(names, name, ';');) {
      if (!named.empty() && name <= *named.rbegin()) return false;
      named.insert(name);
      text += name + ":" + header(asked, name) + "\n";
    }
    if (!asked.body.empty() && !named.contains("content-type")) return false;
    for (const char* const must : {"host", "x-acs-action", "x-acs-content-sha256", "x-acs-date",
                                   "x-acs-signature-nonce", "x-acs-version"})
      if (!named.contains(must)) return false;
    text += "\n" + part("SignedHeaders") + "\n" + digest(asked.body, nullptr);
    return part("Signature") ==
               digest("ACS3-HMAC-SHA256\n" + digest(text, nullptr), access_key_secret) &&
           header(asked, "x-acs-content-sha256") == digest(asked.body, nullptr);
  }
  // As many signatures and values as numbers, at most a hundred, each number once.
  static bool is_batch(const net::Asked& asked) {
    using Json = nlohmann::json;
    const auto list = [&](const char* name) {
      return Json::parse(field(asked, name), nullptr, false);
    };
    const Json numbers = list("PhoneNumberJson"), signs = list("SignNameJson"),
               values = list("TemplateParamJson");
    if (!numbers.is_array() || !signs.is_array() || !values.is_array() || numbers.empty() ||
        numbers.size() > 100 || signs.size() != numbers.size() || values.size() != numbers.size() ||
        field(asked, "TemplateCode").empty())
      return false;
    std::set<std::string> once;
    for (const Json& number : numbers)
      if (!number.is_string() || !once.insert(number.get<std::string>()).second) return false;
    return std::all_of(values.begin(), values.end(),
                       [](const Json& each) { return each.is_object(); });
  }
  static Script script(std::shared_ptr<std::set<std::string>> nonces) {
    Script script;
    script.key_of = [nonces](const net::Asked& asked) -> std::optional<std::string> {
      const std::string action = header(asked, "x-acs-action");
      if (!is_signed(asked) || header(asked, "x-acs-version") != "2017-05-25" ||
          !nonces->insert(header(asked, "x-acs-signature-nonce")).second)
        return std::nullopt;
      if (action == "SendBatchSms") return is_batch(asked) ? std::optional("batch") : std::nullopt;
      if (action != "SendSms") return std::nullopt;
      for (const char* const must : {"PhoneNumbers", "SignName", "TemplateCode"})
        if (field(asked, must).empty()) return std::nullopt;
      return field(asked, "OutId");
    };
    const auto said = [](int status, const std::string& code) {
      return net::Answer{
          .status = status,
          .body = R"({"Message":"told","RequestId":"F655A8D5-B967-440B-8683","Code":")" + code +
                  R"(","BizId":"900619746936498440^0"})"};
    };
    script.accepted = said(200, "OK");
    script.refused = said(200, "isv.MOBILE_NUMBER_ILLEGAL");
    script.refusals = {{Failure::Unreachable, said(200, "isv.MOBILE_NUMBER_ILLEGAL")},
                       {Failure::WindowClosed, said(200, "isv.BUSINESS_LIMIT_CONTROL")},
                       {Failure::BadContent, said(200, "isv.SMS_CONTENT_ILLEGAL")},
                       {Failure::Quota, said(200, "isv.DAY_LIMIT_CONTROL")},
                       {Failure::Credentials, said(200, "isv.ACCOUNT_ABNORMAL")}};
    script.busy = said(400, "Throttling.User");
    script.nonsense = {.status = 200, .body = R"({"Code":)"};
    script.denied = said(400, "SignatureDoesNotMatch");
    script.knows_again = false;
    return script;
  }
};

class AliyunSmsTest : public ::testing::Test {
 protected:
  Result<std::unique_ptr<Connector>> open(Given given) {
    auto settings = Settings::read(aliyun_sms().settings, given);
    if (!settings) return std::move(settings).error();
    Tools tools{context.get_executor(), &http,
                [] { return *parse_instant("2026-03-02T10:30:00.5Z"); },
                [](Level, std::string_view) {}, &notes};
    return aliyun_sms().open(*settings, std::move(tools));
  }
  std::string deliver(Delivery delivery, Given given = {}) {
    auto connector = open(given.empty() ? service.settings() : std::move(given));
    EXPECT_TRUE(connector) << connector.error().what;
    Outcome outcome;
    asio::co_spawn(context, (*connector)->deliver(std::move(delivery)),
                   [&](std::exception_ptr, Outcome got) {
                     outcome = std::move(got);
                     context.stop();
                   });
    context.restart();
    context.run_for(std::chrono::seconds(10));
    return to_string(outcome);
  }
  static Delivery greeting() {
    Delivery delivery;
    delivery.key = {0xab, 0xcd};
    delivery.addresses = {{"phone", "+8613800138000"}};
    delivery.content = "greeting";
    delivery.body = "亲爱的 \"小安\" ~*+&= 你好";
    delivery.link = "https://shop.example/?a=1";
    return delivery;
  }
  asio::io_context context;
  net::Client http{context.get_executor()};
  Notebook notes{[] { return *parse_instant("2026-03-02T10:30:00.5Z"); }};
  Service service;
};

// https://help.aliyun.com/document_detail/2593177.html
TEST(Acs3, SignsThePublishedExample) {
  const std::string query =
      acs3_query({{"RegionId", "cn-shanghai"},
                  {"ImageId", "win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd"}});
  EXPECT_EQ(query,
            "ImageId=win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd&RegionId=cn-shanghai");
  const net::Headers headers{{"host", "ecs.cn-shanghai.aliyuncs.com"},
                             {"x-acs-action", "RunInstances"},
                             {"x-acs-content-sha256", sha256_hex("")},
                             {"x-acs-date", "2023-10-26T10:22:32Z"},
                             {"x-acs-signature-nonce", "3156853299f313e23d1673dc12e1703d"},
                             {"x-acs-version", "2014-05-26"}};
  EXPECT_EQ(acs3_authorization("POST", query, headers, "YourAccessKeyId", "YourAccessKeySecret"),
            "ACS3-HMAC-SHA256 Credential=YourAccessKeyId,SignedHeaders=host;x-acs-action;"
            "x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version,"
            "Signature=06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0");
}

TEST(Acs3, EncodesWhatIsNotUnreserved) {
  EXPECT_EQ(acs3_query({{"b", "a b*~/包"}, {"a", "+&="}}), "a=%2B%26%3D&b=a%20b%2A~%2F%E5%8C%85");
}

TEST_F(AliyunSmsTest, TheServiceGetsTheTemplateAndTheValuesThatMakeTheText) {
  EXPECT_EQ(deliver(greeting()), "done");
  net::Asked asked = service.last();
  EXPECT_EQ(asked.method, "POST");
  EXPECT_EQ(Service::field(asked, "PhoneNumbers"), "13800138000");
  EXPECT_EQ(Service::field(asked, "SignName"), "小店");
  EXPECT_EQ(Service::field(asked, "TemplateCode"), "SMS_1");
  EXPECT_EQ(Service::field(asked, "OutId"), "00000000000000ab00000000000000cd");
  EXPECT_EQ(Service::field(asked, "TemplateParam"),
            R"({"text":"亲爱的","link":"\"小安\" ~*+&= 你好 https://shop.example/?a=1"})");
  EXPECT_EQ(*net::find(asked.headers, "x-acs-date"), "2026-03-02T10:30:00Z");
  Delivery plain = greeting();
  plain.content = "plain";
  plain.body = "Dear Ann, hello.";
  plain.link.clear();
  plain.addresses[0].value = "+15551234567";
  EXPECT_EQ(deliver(plain), "done");
  asked = service.last();
  EXPECT_EQ(Service::field(asked, "PhoneNumbers"), "15551234567");
  EXPECT_EQ(Service::field(asked, "SignName"), "Shop");
  EXPECT_EQ(Service::field(asked, "TemplateParam"), R"({"name":"Ann"})");
}

TEST_F(AliyunSmsTest, ATemplateThatTheRulesNameNeedsNoFile) {
  Given given = service.settings();
  given.erase("templates");
  Delivery named = greeting();
  named.provider_template = "SMS_9";
  named.values = {{"name", "Ann"}, {"code", "A\"1"}};
  EXPECT_EQ(deliver(named, given), "done");
  const auto asked = service.last();
  EXPECT_EQ(Service::field(asked, "TemplateCode"), "SMS_9");
  EXPECT_EQ(Service::field(asked, "SignName"), "小店");
  EXPECT_EQ(Service::field(asked, "TemplateParam"), R"({"name":"Ann","code":"A\"1"})");
  EXPECT_EQ(deliver(greeting(), given), "refused (bad_content): its content has no template here");
}

TEST_F(AliyunSmsTest, WhatIsNoTemplatesTextIsNotSent) {
  Delivery other = greeting();
  other.content = "unknown";
  EXPECT_EQ(deliver(other), "refused (bad_content): its content has no template here");
  other.content = "plain";
  EXPECT_EQ(deliver(other), "refused (bad_content): its text does not fit its template");
  other = greeting();
  other.addresses[0].value = "ann@example.com";
  EXPECT_THAT(deliver(other), HasSubstr("refused (unreachable)"));
  EXPECT_EQ(service.accepted().size(), 0u);
}

// --- The batch form

class AliyunSmsTogether : public AliyunSmsTest {
 protected:
  static Delivery to(const std::string& number, std::uint64_t key, std::string body = "你好 ") {
    Delivery delivery = greeting();
    delivery.key = {0xab, key};
    delivery.addresses[0].value = number;
    delivery.body = body + number;
    return delivery;
  }
  std::unique_ptr<Connector> gathering(const char* report_within = nullptr) {
    Given given = service.settings_to_gather();
    if (report_within) given["report_within"] = report_within;
    return *open(given);
  }
  std::vector<std::string> send(Connector& connector, std::vector<Delivery> deliveries) {
    std::vector<std::string> all;
    for (const Outcome& each : wait_for(context, connector.deliver_together(std::move(deliveries))))
      all.push_back(to_string(each));
    return all;
  }
};

TEST_F(AliyunSmsTogether, TheServiceGetsNumbersSignaturesAndValuesInOneRequest) {
  const auto connector = gathering();
  EXPECT_EQ(connector->together().most, 100u);
  EXPECT_EQ((*open(service.settings()))->together().most, 1u);
  Delivery plain = to("+8613800138003", 3);
  plain.content = "plain";
  plain.body = "Dear Ann, hello.";
  plain.link.clear();
  EXPECT_EQ(connector->alike(to("+8613800138001", 1)), "SMS_1");
  EXPECT_EQ(connector->alike(plain), "SMS_2");
  plain.body = "no text of its template";
  EXPECT_EQ(connector->alike(plain), "");
  EXPECT_THAT(send(*connector, {to("+8613800138001", 1), to("+15551234567", 2, "\"Hi\" ~*+&= ")}),
              testing::ElementsAre("done", "done"));
  const net::Asked asked = service.last();
  EXPECT_EQ(Service::field(asked, "PhoneNumberJson"), R"(["13800138001","15551234567"])");
  EXPECT_EQ(Service::field(asked, "SignNameJson"), R"(["小店","小店"])");
  EXPECT_EQ(Service::field(asked, "TemplateCode"), "SMS_1");
  EXPECT_EQ(Service::field(asked, "TemplateParamJson"),
            R"([{"text":"你好","link":"+8613800138001 https://shop.example/?a=1"},)"
            R"({"text":"\"Hi\"","link":"~*+&= +15551234567 https://shop.example/?a=1"}])");
}

TEST_F(AliyunSmsTogether, WhatIsRefusedTogetherIsTriedAlone) {
  const auto connector = gathering();
  service.next(Act::Refuse);
  const Delivery one = to("+8613800138001", 1);
  for (const std::string& each : send(*connector, {one, to("+8613800138002", 2)}))
    EXPECT_EQ(each, "deferred: it answered isv.MOBILE_NUMBER_ILLEGAL to all of them");
  EXPECT_EQ(connector->alike(one), "");
  EXPECT_EQ(connector->alike(to("+8613800138003", 3)), "SMS_1");
  EXPECT_EQ(to_string(wait_for(context, connector->deliver(one))),
            "refused (unreachable): it answered isv.MOBILE_NUMBER_ILLEGAL");
  EXPECT_EQ(connector->alike(one), "SMS_1") << "it is not kept for ever";
}

TEST_F(AliyunSmsTogether, AReportOnOneOfThemNamesTheRequestAndTheNumberInWhateverLife) {
  auto connector = gathering("2h");
  EXPECT_EQ(connector->reports_for(greeting()), hours(2));
  EXPECT_THAT(send(*connector, {to("+8613800138001", 1), to("+8613800138002", 2)}),
              testing::Each(testing::StartsWith("pending for 2 hours")));
  connector = gathering("2h");
  net::Asked asked{.method = "POST", .path = "/", .headers = {}};
  asked.query = std::string("token=") + callback_token;
  asked.body = R"([{"phone_number":"13800138002","success":false,"biz_id":"900619746936498440^0"},)"
               R"({"phone_number":"13800138001","success":true,"biz_id":"900619746936498440^0"},)"
               R"({"phone_number":"13800138001","success":true,"biz_id":"another"}])";
  const Received received = wait_for(context, connector->receive(std::move(asked)));
  ASSERT_EQ(received.reports.size(), 2u);
  EXPECT_EQ(received.reports[0].key, (Hash128{0xab, 2}));
  EXPECT_EQ(received.reports[0].failure, Failure::Unreachable);
  EXPECT_EQ(received.reports[1].key, (Hash128{0xab, 1}));
  EXPECT_EQ(received.reports[1].failure, Failure::None);
}

TEST_F(AliyunSmsTest, AWrongSecretHoldsTheChannel) {
  setenv("KOI_TEST_ALIYUN_WRONG", "wrong", 1);
  Given given = service.settings();
  given["access_key_secret"] = "env:KOI_TEST_ALIYUN_WRONG";
  EXPECT_EQ(deliver(greeting(), given), "refused (credentials): it answered SignatureDoesNotMatch");
}

TEST_F(AliyunSmsTest, AFileOfTemplatesThatIsNoneIsNamed) {
  const auto wrong = [&](const std::string& text) {
    Given given = service.settings();
    given["templates"] = file_with("sms_wrong.json", text);
    const auto opened = open(given);
    return opened ? "fine" : opened.error().what;
  };
  EXPECT_THAT(wrong("{"), HasSubstr("must be a JSON object"));
  EXPECT_THAT(wrong("{}"), HasSubstr("must be a JSON object"));
  EXPECT_THAT(wrong(R"({"a": {"code": "x"}})"), HasSubstr("`a`: needs `code` and `text`"));
  EXPECT_THAT(wrong(R"({"a": {"code": "x", "text": "y", "cod": "z"}})"), HasSubstr("`cod`"));
  EXPECT_THAT(wrong(R"({"a": {"code": "x", "text": "${a}${b}"}})"), HasSubstr("touch"));
  Given given = service.settings();
  given["templates"] = "/nowhere.json";
  EXPECT_THAT(open(given).error().what, HasSubstr("does the file exist?"));
}

TEST(SmsReply, HasTheClassOfItsCode) {
  struct Row {
    int status;
    const char* code;
    const char* outcome;
  };
  for (const Row& row : {
           Row{200, "OK", "done"},
           Row{200, "isv.MOBILE_NUMBER_ILLEGAL", "refused (unreachable)"},
           Row{200, "isv.BUSINESS_LIMIT_CONTROL", "refused (window_closed)"},
           Row{200, "isv.DAY_LIMIT_CONTROL", "refused (quota)"},
           Row{200, "isv.AMOUNT_NOT_ENOUGH", "refused (quota)"},
           Row{200, "isv.SMS_CONTENT_ILLEGAL", "refused (bad_content)"},
           Row{200, "isv.TEMPLATE_MISSING_PARAMETERS", "refused (bad_content)"},
           Row{200, "isv.SOMETHING_NEW", "refused (bad_content)"},
           Row{200, "isp.RAM_PERMISSION_DENY", "refused (credentials)"},
           Row{200, "isv.ACCOUNT_ABNORMAL", "refused (credentials)"},
           Row{404, "InvalidAccessKeyId.NotFound", "refused (credentials)"},
           Row{400, "SignatureDoesNotMatch", "refused (credentials)"},
           Row{400, "IllegalTimestamp", "refused (credentials)"},
           Row{400, "Throttling.User", "deferred"},
           Row{503, "Throttling", "deferred"},
           Row{429, "", "deferred"},
           Row{200, "isp.SYSTEM_ERROR", "unknown"},
           Row{400, "SignatureNonceUsed", "unknown"},
           Row{503, "ServiceUnavailable", "unknown"},
           Row{200, "isp.SOMETHING_NEW", "unknown"},
           Row{200, "", "unknown"},
           Row{502, "", "unknown"},
           Row{400, "InvalidParameter", "refused (bad_content)"},
           Row{500, "OK", "unknown"},
       })
    EXPECT_THAT(to_string(sms_outcome(row.status, row.code)), testing::StartsWith(row.outcome))
        << row.status << ' ' << row.code;
  EXPECT_EQ(to_string(sms_outcome(400, "+86 138 0013 8000")),
            "refused (bad_content): it answered with status 400");
}

// --- What is pushed back

TEST(SmsPush, ReportsNameTheDeliveryAndSayWhetherItArrived) {
  const auto pushed = sms_push(
      R"([{"phone_number":"13900000001","send_time":"2017-01-01 00:00:00","report_time":)"
      R"("2017-01-01 00:00:05","success":true,"err_code":"DELIVERED","err_msg":"用户接收成功",)"
      R"("sms_size":"1","biz_id":"12345","out_id":"00000000000000ab00000000000000cd"},)"
      R"({"phone_number":"13900000002","success":false,"err_code":"MOBILE_NOT_ON_SERVICE",)"
      R"("out_id":"00000000000000ab00000000000000ce"},{"success":true,"out_id":"67890"}])",
      true, {});
  ASSERT_TRUE(pushed);
  ASSERT_EQ(pushed->reports.size(), 2u);
  EXPECT_EQ(pushed->reports[0].key, (Hash128{0xab, 0xcd}));
  EXPECT_EQ(pushed->reports[0].failure, Failure::None);
  EXPECT_EQ(pushed->reports[1].failure, Failure::Unreachable);
  EXPECT_TRUE(pushed->events.empty());
}

TEST(SmsPush, RepliesAreEventsAndOptingOutIsARefusal) {
  const std::string replies =
      R"([{"phone_number":"13900000001","send_time":"2026-03-02 18:30:00","content":"TD",)"
      R"("sign_name":"小店","dest_code":"1069","sequence_id":1234567},)"
      R"({"phone_number":"85291234567","send_time":"x","content":"谢谢","sequence_id":"8"}])";
  const Timestamp now = *parse_instant("2026-03-02T10:31:00Z");
  const auto pushed = sms_push(replies, true, now);
  ASSERT_TRUE(pushed);
  ASSERT_EQ(pushed->events.size(), 3u);
  EXPECT_EQ(pushed->events[0].type, "replied");
  EXPECT_EQ(pushed->events[1].type, "unsubscribed");
  EXPECT_EQ(pushed->events[1].id, "sms:1234567:unsubscribed");
  EXPECT_EQ(pushed->events[1].person, "+8613900000001");
  EXPECT_EQ(pushed->events[1].time, *parse_instant("2026-03-02T10:30:00Z"));
  EXPECT_EQ(pushed->events[2].person, "+85291234567");
  EXPECT_EQ(pushed->events[2].time, now);
  EXPECT_EQ(sms_push(replies, false, now)->events[0].person, "13900000001");
}

TEST_F(AliyunSmsTest, WhoKnowsTheTokenReports) {
  auto connector = open(service.settings());
  ASSERT_TRUE(connector);
  const auto receive = [&](const std::string& query) {
    net::Asked asked{.method = "POST", .path = "/", .query = query, .headers = {}};
    asked.body = R"([{"success":true,"out_id":"00000000000000ab00000000000000cd"}])";
    return wait_for(context, (*connector)->receive(std::move(asked)));
  };
  const Received right = receive(std::string("token=") + callback_token);
  EXPECT_EQ(right.answer.body, R"({"code":0,"msg":"ok"})");
  EXPECT_EQ(right.reports.size(), 1u);
  for (const char* const query : {"", "token=", "token=other"}) {
    EXPECT_EQ(receive(query).answer.status, 403);
    EXPECT_TRUE(receive(query).reports.empty());
  }
}

TEST(SmsPush, WhatIsNeitherIsRefused) {
  for (const char* const body : {"", "{}", "7", "[7]", "[{}]", R"([{"success":true},{}])"})
    EXPECT_FALSE(sms_push(body, true, {})) << body;
  const auto odd = sms_push(R"([{"success":"yes","out_id":"00000000000000ab00000000000000cd"},)"
                            R"({"content":"TD","phone_number":"+86 139"}])",
                            true, {});
  ASSERT_TRUE(odd);
  EXPECT_TRUE(odd->reports.empty() && odd->events.empty());
}

}  // namespace

std::unique_ptr<channel::Provider> aliyun_sms_provider() { return std::make_unique<Service>(); }

}  // namespace koi::connectors
