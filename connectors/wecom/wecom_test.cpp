#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <set>

#include "channel/connector.h"
#include "channel/push_crypt.h"
#include "channel/xml.h"
#include "connectors/http_provider.h"
#include "wait_for.h"
#include "wecom/codes.h"
#include "wecom/inbound.h"

namespace koi::connectors {
const channel::ConnectorType& wecom();
namespace {

using namespace channel;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;
using Json = nlohmann::json;

constexpr const char* corp = "wx49f0ab532d5d035a";
constexpr const char* secret = "corpsecret-of-the-test";
constexpr const char* push_token = "123456";
constexpr const char* push_key = "kWxPEV2UEDyxWpmPdKC3F4dgPDmOvfKX1HGnEUDS1aR";

// The platform: it lends one token at a time, checks fields and limits, keeps tasks until a member
// of staff taps, and answers errors with status 200.
class Enterprise final : public HttpProvider {
 public:
  struct Books {
    int lent = 0;
    bool valid = false;
    std::int64_t refuses_tokens = 0, says = 0;
    std::map<std::string, std::map<std::string, int>> tasks;  // by msgid: customers and statuses
    std::set<std::string> cancelled, strangers;
    std::vector<Json> sent, welcomed;
    std::string token() const { return "lent-token-" + std::to_string(lent); }
  };
  explicit Enterprise(std::shared_ptr<Books> kept = std::make_shared<Books>())
      : HttpProvider(script(kept)), books(std::move(kept)) {
    setenv("KOI_TEST_WECOM_SECRET", secret, 1);
    setenv("KOI_TEST_WECOM_TOKEN", push_token, 1);
    setenv("KOI_TEST_WECOM_KEY", push_key, 1);
  }
  Given settings() const override {
    return {{"to", "customers"},
            {"url", address()},
            {"corp_id", corp},
            {"secret", "env:KOI_TEST_WECOM_SECRET"},
            {"gather_within", "20ms"},
            {"token", "env:KOI_TEST_WECOM_TOKEN"},
            {"encoding_key", "env:KOI_TEST_WECOM_KEY"},
            {"welcome", "欢迎！"},
            {"answer_within", within()}};
  }
  Given settings_to_gather() const override { return settings(); }
  Given for_staff() const {
    Given given = settings();
    given["to"] = "staff";
    given["agent_id"] = std::int64_t{1000002};
    return given;
  }
  std::vector<std::string> secrets() const override { return {secret, "lent-token-", push_key}; }
  Address person() const override { return {"external_userid", "wmABC-123_xyz"}; }
  bool takes_keys() const override { return false; }

  std::shared_ptr<Books> books;  // only while nothing is under way

 private:
  static net::Answer told(Json json, std::int64_t code = 0) {
    json["errcode"] = code;
    json["errmsg"] = "told, hint: [1]";
    return {.body = json.dump()};
  }
  static bool is_message(const std::string& path) {
    return path == "/cgi-bin/externalcontact/add_msg_template" || path == "/cgi-bin/message/send";
  }
  static std::optional<net::Answer> aside(Books& books, const net::Asked& asked) {
    const net::Headers query = net::query_of(asked.query);
    if (asked.path == "/cgi-bin/gettoken") {
      if (books.refuses_tokens) return told({}, books.refuses_tokens);
      const std::string *const id = net::find(query, "corpid"), *const given =
                                                                    net::find(query, "corpsecret");
      if (!id || *id != corp) return told({}, 40013);
      if (!given || *given != secret) return told({}, 40001);
      if (!books.valid) ++books.lent;
      books.valid = true;
      return told({{"access_token", books.token()}, {"expires_in", 7200}});
    }
    const std::string* const token = net::find(query, "access_token");
    const Json body = Json::parse(asked.body, nullptr, false);
    if (is_message(asked.path)) return std::nullopt;
    if (!token || *token != books.token() || !books.valid) return told({}, 42001);
    const std::string number = body.value("msgid", "");
    if (asked.path == "/cgi-bin/externalcontact/get_groupmsg_task")
      return told({{"task_list", {{{"userid", "zhang"}, {"status", 0}}}}});
    if (asked.path == "/cgi-bin/externalcontact/get_groupmsg_send_result") {
      // A page for each customer, so that pages must be turned.
      const auto& customers = books.tasks[number];
      const std::size_t at = body.value("cursor", "").empty()
                                 ? 0
                                 : static_cast<std::size_t>(std::stoi(body.value("cursor", "")));
      Json page{{"send_list", Json::array()}};
      if (at < customers.size()) {
        const auto each = std::next(customers.begin(), static_cast<std::ptrdiff_t>(at));
        page["send_list"].push_back(
            {{"external_userid", each->first}, {"userid", "zhang"}, {"status", each->second}});
        if (at + 1 < customers.size()) page["next_cursor"] = std::to_string(at + 1);
      }
      return told(page);
    }
    if (asked.path == "/cgi-bin/externalcontact/cancel_groupmsg_send") {
      books.cancelled.insert(number);
      return told({});
    }
    if (asked.path == "/cgi-bin/externalcontact/send_welcome_msg") {
      books.welcomed.push_back(body);
      return told({}, body.value("welcome_code", "") == "CODE" ? 0 : 41050);
    }
    return net::Answer{.status = 404};
  }
  static Script script(const std::shared_ptr<Books>& books) {
    Script script;
    script.forget = [books] { books->valid = false; };
    script.knows_again = false;
    script.aside = [books](const net::Asked& asked) { return aside(*books, asked); };
    script.key_of = [books](const net::Asked& asked) -> std::optional<std::string> {
      const net::Headers query = net::query_of(asked.query);
      const std::string* const token = net::find(query, "access_token");
      const Json body = Json::parse(asked.body, nullptr, false);
      if (!token || *token != books->token() || !books->valid || !body.is_object() ||
          asked.method != "POST")
        return std::nullopt;
      return std::string("none");
    };
    script.answer = [books](const net::Asked& asked) {
      const Json body = Json::parse(asked.body, nullptr, false);
      if (books->says) return told({}, books->says);
      books->sent.push_back(body);
      const std::string text = body["text"].value("content", "");
      if (asked.path == "/cgi-bin/message/send") {
        if (body.value("agentid", 0) != 1000002) return told({}, 40056);
        if (text.size() > 2048) return told({}, 45002);
        const std::string person = body.value("touser", "");
        return told(
            {{"msgid", "m1"}, {"invaliduser", books->strangers.contains(person) ? person : ""}});
      }
      const Json& people = body["external_userid"];
      if (text.size() > 4000) return told({}, 45002);
      if (people.empty() || people.size() > 10'000) return told({}, 40063);
      const std::string number = "msg-" + std::to_string(books->tasks.size() + 1);
      Json failed = Json::array();
      for (const Json& person : people) {
        if (books->strangers.contains(person.get<std::string>()))
          failed.push_back(person);
        else
          books->tasks[number][person.get<std::string>()] = 0;
      }
      if (failed.size() == people.size()) return told({{"fail_list", failed}}, 41048);
      return told({{"fail_list", failed}, {"msgid", number}});
    };
    script.refused = told({}, 40096);
    script.busy = told({}, 45033);
    script.nonsense = {.status = 200, .body = R"({"errco)"};
    script.denied = told({}, 42001);
    return script;
  }
};

class WecomTest : public ::testing::Test {
 protected:
  Result<std::unique_ptr<Connector>> open(const Given& given) {
    auto settings = Settings::read(wecom().settings, given);
    if (!settings) return std::move(settings).error();
    Tools tools{context.get_executor(), &http, [this] { return now; },
                [this](Level, std::string_view line) { log += line; }};
    return wecom().open(*settings, std::move(tools));
  }
  static Delivery to(const std::string& person, std::uint64_t number) {
    Delivery delivery;
    delivery.key = {7, number};
    delivery.addresses = {{"external_userid", person}};
    delivery.title = "标题";
    delivery.body = "你好 \"A\"";
    delivery.link = "https://shop.example/?a=1";
    return delivery;
  }
  // All at the same time; outcomes in their order.
  std::vector<std::string> deliver(Connector& connector, std::vector<Delivery> deliveries) {
    std::vector<std::string> outcomes(deliveries.size());
    std::size_t left = deliveries.size();
    for (std::size_t i = 0; i < deliveries.size(); ++i)
      asio::co_spawn(context, connector.deliver(deliveries[i]),
                     [&, i](std::exception_ptr thrown, Outcome got) {
                       EXPECT_FALSE(thrown);
                       outcomes[i] = to_string(got);
                       if (--left == 0) context.stop();
                     });
    context.restart();
    context.run_for(std::chrono::seconds(10));
    return outcomes;
  }
  std::vector<std::string> deliver_together(Connector& connector,
                                            std::vector<Delivery> deliveries) {
    std::vector<std::string> outcomes;
    for (const Outcome& each : wait_for(context, connector.deliver_together(std::move(deliveries))))
      outcomes.push_back(to_string(each));
    return outcomes;
  }
  asio::io_context context;
  net::Client http{context.get_executor()};
  Timestamp now = *parse_instant("2026-03-02T10:30:00Z");
  std::string log;
  Enterprise platform;
};

TEST_F(WecomTest, LikeMessagesMakeOneTaskAndEachCustomerHasHisOutcome) {
  platform.books->strangers = {"wmC"};
  auto connector = open(platform.settings());
  ASSERT_TRUE(connector) << connector.error().what;
  Delivery other = to("wmD", 4);
  other.body = "something else";
  const std::vector<Delivery> alike{to("wmA", 1), to("wmB", 2), to("wmC", 3)};
  EXPECT_EQ((*connector)->alike(alike[0]), (*connector)->alike(alike[1]));
  EXPECT_NE((*connector)->alike(alike[0]), (*connector)->alike(other));
  EXPECT_EQ((*connector)->together().most, 10'000u);
  EXPECT_THAT(deliver_together(**connector, alike),
              ElementsAre(StartsWith("pending for 26 hours"), StartsWith("pending"),
                          "refused (unreachable): it cannot be sent to him"));
  EXPECT_THAT(deliver(**connector, {other}), ElementsAre(StartsWith("pending")));
  ASSERT_EQ(platform.books->sent.size(), 2u);
  const Json& task = platform.books->sent[0];
  EXPECT_EQ(task["chat_type"], "single");
  EXPECT_EQ(task["external_userid"], Json::array({"wmA", "wmB", "wmC"}));
  EXPECT_EQ(task["text"]["content"], "标题\n你好 \"A\"\nhttps://shop.example/?a=1");
  EXPECT_EQ(platform.books->sent[1]["external_userid"], Json::array({"wmD"}));
}

TEST_F(WecomTest, WhatTheStaffSendsOrDoesNotComesBack) {
  auto connector = open(platform.settings());
  ASSERT_TRUE(connector);
  deliver_together(**connector, {to("wmA", 1), to("wmB", 2), to("wmC", 3), to("wmD", 4)});
  ASSERT_EQ(platform.books->tasks.size(), 1u);
  EXPECT_TRUE(wait_for(context, (*connector)->look()).reports.empty()) << "nobody has tapped yet";
  auto& task = platform.books->tasks.begin()->second;
  task = {{"wmA", 1}, {"wmB", 2}, {"wmC", 3}, {"wmD", 0}};
  const Received told = wait_for(context, (*connector)->look());
  std::map<std::uint64_t, Failure> fates;
  for (const Report& report : told.reports) fates[report.key.low] = report.failure;
  EXPECT_EQ(fates, (std::map<std::uint64_t, Failure>{
                       {1, Failure::None}, {2, Failure::Unreachable}, {3, Failure::WindowClosed}}));
  EXPECT_TRUE(wait_for(context, (*connector)->look()).reports.empty()) << "each is told once";
  EXPECT_TRUE(platform.books->cancelled.empty());
  now = now + days(1);
  const Received late = wait_for(context, (*connector)->look());
  ASSERT_EQ(late.reports.size(), 1u);
  EXPECT_EQ(late.reports[0].key.low, 4u);
  EXPECT_EQ(late.reports[0].failure, Failure::Failed);
  EXPECT_EQ(platform.books->cancelled.size(), 1u) << "it must not come after it has failed";
  EXPECT_TRUE(wait_for(context, (*connector)->look()).reports.empty());
}

TEST_F(WecomTest, StaffIsToldByTheApplication) {
  auto connector = open(platform.for_staff());
  ASSERT_TRUE(connector) << connector.error().what;
  platform.books->strangers = {"gone"};
  EXPECT_THAT(deliver(**connector, {to("zhang", 1)}), ElementsAre("done"));
  EXPECT_EQ(platform.books->sent[0]["touser"], "zhang");
  EXPECT_EQ(platform.books->sent[0]["enable_duplicate_check"], 1);
  EXPECT_THAT(deliver(**connector, {to("gone", 2)}),
              ElementsAre("refused (unreachable): it names him as invalid"));
  Delivery longer = to("zhang", 3);
  longer.body = std::string(2048, 'x');
  EXPECT_THAT(deliver(**connector, {longer}), ElementsAre(StartsWith("refused (bad_content)")));
  EXPECT_EQ((*connector)->look_every(), Duration{});
}

TEST_F(WecomTest, WithoutATokenNothingIsSent) {
  auto connector = open(platform.settings());
  ASSERT_TRUE(connector);
  for (const auto& [code, came] :
       {std::pair(40001, "refused (credentials)"), std::pair(60020, "refused (credentials)"),
        std::pair(45009, "deferred"), std::pair(-1, "deferred")}) {
    platform.books->refuses_tokens = code;
    EXPECT_THAT(deliver(**connector, {to("wmA", 1)}), ElementsAre(StartsWith(came))) << code;
  }
  EXPECT_TRUE(platform.books->sent.empty());
}

TEST(WecomCodes, HaveTheirClasses) {
  for (const auto& [code, came] :
       {std::pair(0, "done"), std::pair(41051, "done"), std::pair(-1, "deferred"),
        std::pair(45009, "deferred"), std::pair(45033, "deferred"), std::pair(41063, "deferred"),
        std::pair(40096, "refused (unreachable)"), std::pair(84061, "refused (unreachable)"),
        std::pair(41048, "refused (unreachable)"), std::pair(41050, "refused (window_closed)"),
        std::pair(45002, "refused (bad_content)"), std::pair(40063, "refused (bad_content)"),
        std::pair(48002, "refused (credentials)"), std::pair(84074, "refused (credentials)"),
        std::pair(42001, "refused (credentials)"), std::pair(99999, "refused (bad_content)")})
    EXPECT_THAT(to_string(wecom_outcome(code)), StartsWith(came)) << code;
  EXPECT_TRUE(std::get<Deferred>(wecom_outcome(45033)).throttled);
  EXPECT_FALSE(wecom_fate(0));
}

// --- What is pushed -----------------------------------------------------------------------------

std::string change(const std::string& what, const std::string& more = "") {
  return "<xml><ToUserName>" + std::string(corp) +
         "</ToUserName><FromUserName>sys</FromUserName><CreateTime>1772447000</CreateTime>"
         "<MsgType>event</MsgType><Event>change_external_contact</Event><ChangeType>" +
         what + "</ChangeType><UserID>zhang</UserID><ExternalUserID>wmA</ExternalUserID>" + more +
         "</xml>";
}
std::vector<std::string> told(const std::string& xml, bool follow_consents = true) {
  std::vector<std::string> all;
  for (const Told& each : told_by_wecom(*parse_xml(xml), follow_consents, {})) {
    EXPECT_EQ(each.person, "wmA");
    std::string text = each.type;
    for (const auto& [name, value] : each.fields) text += " " + name + "=" + value;
    all.push_back(text);
  }
  return all;
}

TEST(WecomPush, TellsWhoComesAndGoes) {
  EXPECT_THAT(told(change("add_external_contact", "<State>expo</State>")),
              ElementsAre("follow scene=expo staff=zhang", "scan scene=expo", "consented"));
  EXPECT_THAT(told(change("add_half_external_contact"), false),
              ElementsAre("follow scene= staff=zhang"));
  EXPECT_THAT(told(change("del_follow_user")), ElementsAre("unfollow staff=zhang", "unsubscribed"));
  EXPECT_THAT(told(change("del_external_contact")), ElementsAre("unfollow staff=zhang"));
  EXPECT_THAT(told(change("transfer_fail")), ElementsAre());
  EXPECT_TRUE(told_by_wecom(*parse_xml("<xml><Event>click</Event></xml>"), true, {}).empty());
}

class WecomCallbackTest : public WecomTest {
 protected:
  net::Asked sealed(const std::string& method, const std::string& text, bool spoil = false) {
    const PushCrypt crypt = *PushCrypt::open(push_token, push_key, corp);
    const std::string encrypted = crypt.encrypt(text, "0123456789abcdef");
    net::Asked asked{.method = method, .path = "/", .headers = {}};
    asked.query = "msg_signature=" + crypt.signature("1", spoil ? "3" : "2", encrypted) +
                  "&timestamp=1&nonce=2";
    if (method == "GET") asked.query += "&echostr=" + net::percent_encoded(encrypted);
    asked.body = "<xml>";
    append_xml(asked.body, "Encrypt", encrypted);
    asked.body += "</xml>";
    return asked;
  }
};

TEST_F(WecomCallbackTest, TheEchoIsDecryptedAndPushesAreRead) {
  auto connector = open(platform.settings());
  ASSERT_TRUE(connector);
  const Received echo =
      wait_for(context, (*connector)->receive(sealed("GET", "5927782489442352469")));
  EXPECT_EQ(echo.answer.body, "5927782489442352469");
  const Received gone =
      wait_for(context, (*connector)->receive(sealed("POST", change("del_follow_user"))));
  EXPECT_EQ(gone.answer.body, "success");
  ASSERT_EQ(gone.events.size(), 2u);
  EXPECT_EQ(gone.events[1].type, "unsubscribed");
  const Received wrong =
      wait_for(context, (*connector)->receive(sealed("POST", change("del_follow_user"), true)));
  EXPECT_EQ(wrong.answer.status, 403);
  EXPECT_TRUE(wrong.events.empty());
}

TEST_F(WecomCallbackTest, WhoComesIsWelcomedOnceAndNobodyWaitsForIt) {
  auto connector = open(platform.settings());
  ASSERT_TRUE(connector);
  for (const char* const code : {"CODE", "OLD"}) {
    const std::string more = "<WelcomeCode>" + std::string(code) + "</WelcomeCode>";
    const Received came = wait_for(
        context, (*connector)->receive(sealed("POST", change("add_external_contact", more))));
    EXPECT_EQ(came.answer.status, 200);
  }
  for (int i = 0; i < 100 && platform.books->welcomed.size() < 2; ++i) {
    context.restart();
    context.run_for(std::chrono::milliseconds(20));
  }
  context.restart();
  context.run_for(std::chrono::milliseconds(100));
  ASSERT_EQ(platform.books->welcomed.size(), 2u);
  EXPECT_EQ(platform.books->welcomed[0]["text"]["content"], "欢迎！");
  EXPECT_EQ(log, "wecom: a customer was not welcomed: code 41050");
}

TEST_F(WecomTest, WrongSettingsAreNamed) {
  const auto wrong = [&](const char* name, std::optional<GivenValue> value) {
    Given given = platform.settings();
    if (value)
      given[name] = *value;
    else
      given.erase(name);
    const auto opened = open(given);
    return opened ? "fine" : opened.error().what;
  };
  EXPECT_THAT(wrong("to", GivenValue("staff")), HasSubstr("`agent_id` is missing"));
  EXPECT_THAT(wrong("encoding_key", std::nullopt), HasSubstr("belong together"));
  EXPECT_THAT(wrong("encoding_key", GivenValue("env:KOI_TEST_WECOM_TOKEN")),
              HasSubstr("43 letters"));
}

}  // namespace

std::unique_ptr<channel::Provider> wecom_provider() { return std::make_unique<Enterprise>(); }

}  // namespace koi::connectors
