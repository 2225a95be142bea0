#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>
#include <cstdlib>

#include "channel/connector.h"
#include "connectors/http_provider.h"
#include "wait_for.h"
#include "webhook/sign.h"

namespace koi::connectors {
const channel::ConnectorType& webhook();
namespace {

using namespace channel;
using testing::HasSubstr;

// Made for the test: the secret of the specification's own vector.
constexpr const char* signing_secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

// A receiver that checks each signature and knows ids again, as the specification says.
class Receiver final : public HttpProvider {
 public:
  Receiver() : HttpProvider(script()) { setenv("KOI_TEST_WEBHOOK_SECRET", signing_secret, 1); }
  Given settings() const override {
    return {{"url", address() + "/hook"},
            {"secret", "env:KOI_TEST_WEBHOOK_SECRET"},
            {"answer_within", within()}};
  }
  std::vector<std::string> secrets() const override { return {signing_secret, signing_secret + 6}; }

 private:
  static Script script() {
    Script script;
    script.key_of = [](const net::Asked& asked) -> std::optional<std::string> {
      const std::string* const id = net::find(asked.headers, "webhook-id");
      const std::string* const second = net::find(asked.headers, "webhook-timestamp");
      const std::string* const signature = net::find(asked.headers, "webhook-signature");
      if (!id || !second || !signature) return std::nullopt;
      const auto expected =
          webhook_signatures({*webhook_key(signing_secret)}, *id, *second, asked.body);
      return *signature == expected ? std::optional(*id) : std::nullopt;
    };
    script.accepted.status = 204;
    script.refusals = {{Failure::BadContent, {.status = 422}},
                       {Failure::Credentials, {.status = 403}}};
    return script;
  }
};

class WebhookTest : public ::testing::Test {
 protected:
  Result<std::unique_ptr<Connector>> open(Given given) {
    auto settings = Settings::read(webhook().settings, given);
    if (!settings) return std::move(settings).error();
    Tools tools{context.get_executor(), &http, [this] { return now; },
                [](Level, std::string_view) {}};
    return webhook().open(*settings, std::move(tools));
  }
  Outcome deliver(Delivery delivery) {
    auto connector = open(receiver.settings());
    EXPECT_TRUE(connector);
    return wait_for(context, (*connector)->deliver(std::move(delivery)));
  }
  static Delivery greeting() {
    Delivery delivery;
    delivery.key = {0xab, 0xcd};
    delivery.customer = "ann";
    delivery.addresses = {{"phone", "+8613800138000"}};
    delivery.channel = "hook";
    delivery.campaign = "welcome";
    delivery.content = "greeting";
    delivery.title = "你好 \"Ann\"";
    delivery.body = "line\nbreak";
    return delivery;
  }
  asio::io_context context;
  net::Client http{context.get_executor()};
  Timestamp now = *parse_instant("2026-03-02T10:30:00.5Z");
  Receiver receiver;
};

// libraries/go/webhook_test.go of the specification's repository, and the same in its other ones.
TEST(WebhookSignature, IsThatOfThePublishedVector) {
  const auto key = webhook_key(signing_secret);
  ASSERT_TRUE(key);
  EXPECT_EQ(key->size(), 24u);
  const std::string signature = webhook_signatures({*key}, "msg_p5jXN8AQM9LWM0D4loKWxJek",
                                                   "1614265330", R"({"test": 2432232314})");
  EXPECT_EQ(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
  EXPECT_EQ(webhook_signatures({*key, *key}, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330",
                               R"({"test": 2432232314})"),
            signature + " " + signature);
}

TEST(WebhookSecret, ThatIsTooShortOrNoBase64IsNone) {
  EXPECT_TRUE(webhook_key("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"));
  for (const char* wrong : {"", "whsec_", "whsec_AAAA", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS",
                            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa!!",
                            "whsec_====", "whsec_MfKQ9r8GKYqrTw=UPD8ILPZIo2LaLaSw"})
    EXPECT_FALSE(webhook_key(wrong)) << wrong;
  EXPECT_FALSE(webhook_key("whsec_" + std::string(4000, 'A')));
}

TEST_F(WebhookTest, TheReceiverGetsTheDeliveryAsJsonUnderItsKey) {
  EXPECT_TRUE(std::holds_alternative<Done>(deliver(greeting())));
  const net::Asked asked = receiver.last();
  EXPECT_EQ(asked.method, "POST");
  EXPECT_EQ(asked.path, "/hook");
  EXPECT_EQ(*net::find(asked.headers, "webhook-id"), "00000000000000ab00000000000000cd");
  EXPECT_EQ(*net::find(asked.headers, "webhook-timestamp"), "1772447400");
  EXPECT_EQ(*net::find(asked.headers, "content-type"), "application/json");
  EXPECT_EQ(asked.body,
            R"({"type":"delivery","timestamp":"2026-03-02T10:30:00.5Z","data":{)"
            R"("key":"00000000000000ab00000000000000cd","channel":"hook","campaign":"welcome",)"
            R"("content":"greeting","customer":"ann","to":{"phone":"+8613800138000"},)"
            R"("title":"你好 \"Ann\"","body":"line\nbreak"}})");
}

TEST_F(WebhookTest, EachStatusHasItsOutcome) {
  const auto said = [&](int status, net::Headers headers = {}) {
    net::Answer answer{.status = status, .headers = std::move(headers)};
    receiver.say(std::move(answer));
    return to_string(deliver(greeting()));
  };
  EXPECT_EQ(said(200), "done");
  EXPECT_THAT(said(410), HasSubstr("refused (bad_content): it answered with status 410"));
  EXPECT_THAT(said(404), HasSubstr("refused (bad_content)"));
  EXPECT_THAT(said(403), HasSubstr("refused (credentials)"));
  EXPECT_THAT(said(302), HasSubstr("not followed"));
  EXPECT_THAT(said(503, {{"Retry-After", "120"}}), HasSubstr("deferred for 2 minutes"));
  EXPECT_THAT(said(503), HasSubstr("deferred: "));
  EXPECT_THAT(said(500), HasSubstr("unknown"));
  EXPECT_THAT(said(429, {{"Retry-After", "Mon, 02 Mar 2026 10:31:00 GMT"}}),
              HasSubstr("deferred for"));
}

TEST_F(WebhookTest, AWrongSecretIsNamedAndNotShown) {
  setenv("KOI_TEST_WEBHOOK_SHORT", "whsec_dG9vc2hvcnQ=", 1);
  Given given = receiver.settings();
  given["secret"] = "env:KOI_TEST_WEBHOOK_SHORT";
  const auto opened = open(given);
  ASSERT_FALSE(opened);
  EXPECT_THAT(opened.error().what, HasSubstr("`secret` must be `whsec_`"));
  EXPECT_THAT(opened.error().what, testing::Not(HasSubstr("dG9vc2hvcnQ")));
}

// --- What it tells back

class WebhookToldTest : public WebhookTest {
 protected:
  Received receive(std::string body, std::string second = "1772447400", std::string spoil = "") {
    auto connector = open(receiver.settings());
    EXPECT_TRUE(connector);
    net::Asked asked{.method = "POST", .path = "/", .headers = {}, .body = body + spoil};
    asked.headers = {
        {"Webhook-Id", "msg_1"},
        {"Webhook-Timestamp", second},
        {"Webhook-Signature",
         "v1a,x " + webhook_signatures({*webhook_key(signing_secret)}, "msg_1", second, body)}};
    return wait_for(context, (*connector)->receive(std::move(asked)));
  }
};

constexpr const char* telling =
    R"({"events":[{"id":"e1","type":"unsubscribed","time":"2026-03-02T10:29:00Z",)"
    R"("person":"+8613800138000","fields":{"purpose":"marketing"}}],)"
    R"("reports":[{"key":"00000000000000ab00000000000000CD","failure":"unreachable"},)"
    R"({"key":"00000000000000ab00000000000000ce"}]})";

TEST_F(WebhookToldTest, WhatIsSignedIsRead) {
  const Received received = receive(telling);
  EXPECT_EQ(received.answer.status, 204);
  ASSERT_EQ(received.events.size(), 1u);
  EXPECT_EQ(received.events[0].type, "unsubscribed");
  EXPECT_EQ(received.events[0].person, "+8613800138000");
  EXPECT_EQ(received.events[0].time, *parse_instant("2026-03-02T10:29:00Z"));
  ASSERT_EQ(received.reports.size(), 2u);
  EXPECT_EQ(received.reports[0].key, (Hash128{0xab, 0xcd}));
  EXPECT_EQ(received.reports[0].failure, Failure::Unreachable);
  EXPECT_EQ(received.reports[1].failure, Failure::None);
}

TEST_F(WebhookToldTest, WhatIsSpoiltOrOldIsNot) {
  for (const Received& received : {receive(telling, "1772447400", " "),
                                   receive(telling, "1772447000"), receive(telling, "1772447800"),
                                   receive(telling, "x"), receive(telling, "99999999999999")}) {
    EXPECT_EQ(received.answer.status, 401);
    EXPECT_TRUE(received.events.empty() && received.reports.empty());
  }
  for (const char* const body :
       {"", "[]", R"({"events":{}})", R"({"events":[{"id":"a"}]})", R"({"events":[7]})",
        R"({"events":[{"id":"a","type":"b","time":"c","person":"d"}]})",
        R"({"reports":[{"key":"abc"}]})",
        R"({"reports":[{"key":"00000000000000ab00000000000000cd","failure":"none"}]})"})
    EXPECT_EQ(receive(body).answer.status, 400) << body;
}

TEST_F(WebhookTest, WhatWillBeReportedOnIsPendingWhereItIsWaitedFor) {
  receiver.say({.status = 202});
  EXPECT_EQ(to_string(deliver(greeting())), "done");
  Given given = receiver.settings();
  given["report_within"] = "2h";
  auto connector = open(given);
  ASSERT_TRUE(connector);
  Outcome outcome;
  asio::co_spawn(context, (*connector)->deliver(greeting()), [&](std::exception_ptr, Outcome got) {
    outcome = std::move(got);
    context.stop();
  });
  context.restart();
  context.run_for(std::chrono::seconds(10));
  EXPECT_EQ(to_string(outcome), "pending for 2 hours: it reports on it");
}

}  // namespace

std::unique_ptr<channel::Provider> webhook_provider() { return std::make_unique<Receiver>(); }

}  // namespace koi::connectors
