#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <set>

#include "channel/codes.h"
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
constexpr const char* corp_secret = "corpsecret-of-the-test";
constexpr const char* wecom_push_token = "123456";
constexpr const char* wecom_push_key = "kWxPEV2UEDyxWpmPdKC3F4dgPDmOvfKX1HGnEUDS1aR";

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
    std::map<std::string, std::string> tags;              // ids by name
    std::map<std::string, std::set<std::string>> tagged;  // "member customer", by id
    int tags_made = 0, tags_listed = 0;
    std::vector<Json> ways;
    std::vector<Json> sent, welcomed;
    std::string token() const { return "lent-token-" + std::to_string(lent); }
  };
  explicit Enterprise(std::shared_ptr<Books> kept = std::make_shared<Books>())
      : HttpProvider(script(kept)), books(std::move(kept)) {
    setenv("KOI_TEST_WECOM_SECRET", corp_secret, 1);
    setenv("KOI_TEST_WECOM_TOKEN", wecom_push_token, 1);
    setenv("KOI_TEST_WECOM_KEY", wecom_push_key, 1);
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
  Given for_groups() const {
    Given given = settings();
    given["to"] = "groups";
    given["sender"] = "zhang";
    given["groups"] = "wrA, wrB,wrC";
    return given;
  }
  Given to_tag() const {
    Given given = settings();
    given["to"] = "tags";
    return given;
  }
  std::vector<std::string> secrets() const override {
    return {corp_secret, "lent-token-", wecom_push_key};
  }
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
      if (!given || *given != corp_secret) return told({}, 40001);
      if (!books.valid) ++books.lent;
      books.valid = true;
      return told({{"access_token", books.token()}, {"expires_in", 7200}});
    }
    const std::string* const token = net::find(query, "access_token");
    const Json body = Json::parse(asked.body, nullptr, false);
    if (is_message(asked.path)) return std::nullopt;
    if (!token || *token != books.token() || !books.valid) return told({}, 42001);
    const std::string number = body.is_object() ? body.value("msgid", "") : "";
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
        const char* const who = each->first.starts_with("wr") ? "chat_id" : "external_userid";
        page["send_list"].push_back(
            {{who, each->first}, {"userid", "zhang"}, {"status", each->second}});
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
    if (asked.path == "/cgi-bin/externalcontact/add_contact_way") {
      books.ways.push_back(body);
      return told({{"config_id", "c1"}, {"qr_code", "https://p.qpic.cn/wwhead/1"}});
    }
    return aside_of_tags(books, asked, body);
  }
  static net::Answer aside_of_tags(Books& books, const net::Asked& asked, const Json& body) {
    const auto in_group = [](const std::string& name, const std::string& id) {
      return Json{{"group_name", "Koi"}, {"tag", {{{"id", id}, {"name", name}}}}};
    };
    if (asked.path == "/cgi-bin/externalcontact/get_corp_tag_list") {
      ++books.tags_listed;
      Json groups = Json::array();
      for (const auto& [name, id] : books.tags) groups.push_back(in_group(name, id));
      return told({{"tag_group", groups}});
    }
    if (asked.path == "/cgi-bin/externalcontact/add_corp_tag") {
      const std::string name = body["tag"][0].value("name", "");
      if (books.tags.contains(name)) return told({}, 40071);
      books.tags[name] = "et" + std::to_string(++books.tags_made);
      return told({{"tag_group", in_group(name, books.tags[name])}});
    }
    if (asked.path == "/cgi-bin/externalcontact/get") {
      const net::Headers query = net::query_of(asked.query);
      if (asked.method != "GET" || *net::find(query, "external_userid") != "wmABC&1")
        return told({}, 40096);
      return told({{"follow_user", {{{"userid", "zhang"}}, {{"userid", "li"}}}}});
    }
    if (asked.path == "/cgi-bin/externalcontact/mark_tag") {
      const std::string pair = body.value("userid", "") + " " + body.value("external_userid", "");
      for (const char* const what : {"add_tag", "remove_tag"}) {
        if (!body.contains(what)) continue;
        const std::string id = body[what][0];
        const bool is_there = std::any_of(books.tags.begin(), books.tags.end(),
                                          [&](const auto& tag) { return tag.second == id; });
        if (!is_there) return told({}, 40068);
        if (std::string(what) == "add_tag")
          books.tagged[id].insert(pair);
        else
          books.tagged[id].erase(pair);
      }
      return told({});
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
      const bool is_group = body.value("chat_type", "") == "group";
      if (is_group && body.value("sender", "").empty()) return told({}, 40058);
      const Json& people = body[is_group ? "chat_id_list" : "external_userid"];
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
    script.refusals = {{Failure::Unreachable, told({}, 84061)},
                       {Failure::WindowClosed, told({}, 41050)},
                       {Failure::BadContent, told({}, 45002)},
                       {Failure::Credentials, told({}, 60020)}};
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
                [this](Level, std::string_view line) { log += line; }, &notes};
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
  Notebook notes{[this] { return now; }};
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

TEST_F(WecomTest, ATaskIsLookedAfterInTheNextLifeAndForgottenWhenAllOfItIsKnown) {
  auto connector = open(platform.settings());
  ASSERT_TRUE(connector);
  deliver_together(**connector, {to("wmA", 1), to("wmB", 2)});
  EXPECT_EQ((*connector)->reports_for(to("wmA", 1)), hours(26));
  now = now + hours(2);
  connector = open(platform.settings());
  EXPECT_EQ((*connector)->reports_for(to("wmA", 1)), hours(24));
  EXPECT_EQ((*connector)->reports_for(to("wmA", 3)), Duration{}) << "it is in no task";
  platform.books->tasks.begin()->second = {{"wmA", 1}, {"wmB", 0}};
  Received told = wait_for(context, (*connector)->look());
  ASSERT_EQ(told.reports.size(), 1u);
  EXPECT_EQ(told.reports[0].key, (Hash128{7, 1}));
  told.kept();
  EXPECT_EQ(notes.all().size(), 1u) << "of the other nothing is known yet";

  connector = open(platform.settings());
  platform.books->tasks.begin()->second = {{"wmA", 1}, {"wmB", 2}};
  told = wait_for(context, (*connector)->look());
  EXPECT_EQ(told.reports.size(), 2u) << "what was told is told again, and counts once";
  EXPECT_EQ(notes.all().size(), 1u) << "that was told is not durable yet";
  told.kept();
  EXPECT_TRUE(notes.all().empty());
}

TEST_F(WecomTest, GroupsAreOneTaskAndOneDelivery) {
  auto connector = open(platform.for_groups());
  ASSERT_TRUE(connector) << connector.error().what;
  EXPECT_EQ((*connector)->together().most, 1u);
  Delivery news = to("", 1);
  news.addresses.clear();
  platform.books->strangers = {"wrC"};
  EXPECT_THAT(deliver(**connector, {news}), ElementsAre(StartsWith("pending for 26 hours")));
  const Json& sent = platform.books->sent[0];
  EXPECT_EQ(sent["chat_type"], "group");
  EXPECT_EQ(sent["sender"], "zhang");
  EXPECT_EQ(sent["chat_id_list"], Json::array({"wrA", "wrB", "wrC"}));
  auto& task = platform.books->tasks.begin()->second;
  task = {{"wrA", 1}, {"wrB", 0}};
  EXPECT_TRUE(wait_for(context, (*connector)->look()).reports.empty());
  task = {{"wrA", 1}, {"wrB", 3}};
  const Received told = wait_for(context, (*connector)->look());
  ASSERT_EQ(told.reports.size(), 1u);
  EXPECT_EQ(told.reports[0].key, news.key);
  EXPECT_EQ(told.reports[0].failure, Failure::None) << "one group has it";
  platform.books->strangers = {"wrA", "wrB", "wrC"};
  EXPECT_THAT(deliver(**connector, {news}), ElementsAre(StartsWith("refused (unreachable)")));
  platform.books->strangers.clear();
  deliver(**connector, {news});
  now = now + days(1);
  const Received late = wait_for(context, (*connector)->look());
  ASSERT_EQ(late.reports.size(), 1u);
  EXPECT_EQ(late.reports[0].failure, Failure::Failed);
}

TEST_F(WecomTest, ACodeLeadsToTheStaffWithItsScene) {
  Given given = platform.settings();
  given["codes_lead_to"] = "zhang, li";
  auto connector = open(given);
  ASSERT_TRUE(connector) << connector.error().what;
  const auto code = [&](Connector& of, std::string scene, std::optional<Duration> lasts) {
    CodeWanted wanted{std::move(scene), lasts};
    const auto made =
        wait_for_result(context, dynamic_cast<MakesCodes&>(of).code(std::move(wanted)));
    return made ? *made : made.error().what;
  };
  EXPECT_EQ(code(**connector, "friend-of-ann", std::nullopt), "https://p.qpic.cn/wwhead/1");
  EXPECT_EQ(platform.books->ways[0],
            Json::parse(R"({"type":2,"scene":2,"skip_verify":true,"state":"friend-of-ann",
                            "user":["zhang","li"]})"));
  EXPECT_THAT(code(**connector, std::string(31, 'x'), std::nullopt), HasSubstr("1 to 30"));
  EXPECT_THAT(code(**connector, "expo", days(1)), HasSubstr("for good"));
  auto without = open(platform.settings());
  EXPECT_THAT(code(**without, "expo", std::nullopt), HasSubstr("`codes_lead_to`"));
  EXPECT_EQ(platform.books->ways.size(), 1u);
}

TEST_F(WecomTest, ACallPutsATagOnACustomerAndTakesItOff) {
  auto connector = open(platform.to_tag());
  ASSERT_TRUE(connector) << connector.error().what;
  EXPECT_EQ((*connector)->look_every(), Duration{});
  const auto call = [&](const std::string& body) {
    Delivery delivery;
    delivery.body = body;
    return deliver(**connector, {delivery})[0];
  };
  EXPECT_EQ(call(R"({"external_userid":"wmABC&1","tag":"vip"})"), "done");
  EXPECT_EQ(call(R"({"external_userid":"wmB","tag":"vip","staff":"wang"})"), "done");
  const std::string vip = platform.books->tags.at("vip");
  EXPECT_EQ(platform.books->tagged[vip],
            (std::set<std::string>{"zhang wmABC&1", "li wmABC&1", "wang wmB"}));
  EXPECT_EQ(call(R"({"external_userid":"wmABC&1","tag":"vip","remove":true})"), "done");
  EXPECT_EQ(platform.books->tagged[vip], (std::set<std::string>{"wang wmB"}));
  EXPECT_EQ(platform.books->tags_listed, 1);
  platform.books->tags.clear();
  EXPECT_EQ(call(R"({"external_userid":"wmABC&1","tag":"vip"})"), "deferred: it answered 40068");
  EXPECT_EQ(call(R"({"external_userid":"wmABC&1","tag":"vip"})"), "done");
  EXPECT_EQ(call(R"({"external_userid":"wmNOBODY","tag":"vip"})"),
            "refused (unreachable): it answered 40096");
  for (const char* const wrong : {"", "[]", R"({"tag":"vip"})", R"({"external_userid":"wmA"})",
                                  R"({"external_userid":"wmA","tag":"vip","remove":1})"})
    EXPECT_THAT(call(wrong), StartsWith("refused (bad_content)")) << wrong;
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
// "TYPE name=value …" for each that a push tells of.
std::vector<std::string> wecom_tells(const std::string& xml, bool follow_consents = true) {
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
  EXPECT_THAT(wecom_tells(change("add_external_contact", "<State>expo</State>")),
              ElementsAre("follow scene=expo staff=zhang", "scan scene=expo", "consented"));
  EXPECT_THAT(wecom_tells(change("add_half_external_contact"), false),
              ElementsAre("follow scene= staff=zhang"));
  EXPECT_THAT(wecom_tells(change("del_follow_user")),
              ElementsAre("unfollow staff=zhang", "unsubscribed"));
  EXPECT_THAT(wecom_tells(change("del_external_contact")), ElementsAre("unfollow staff=zhang"));
  EXPECT_THAT(wecom_tells(change("transfer_fail")), ElementsAre());
  EXPECT_TRUE(told_by_wecom(*parse_xml("<xml><Event>click</Event></xml>"), true, {}).empty());
}

TEST(WecomPush, TellsWhoComesIntoAGroupAndWhoLeavesIt) {
  const auto of_group = [](const std::string& type, const std::string& detail,
                           const std::string& list) {
    std::vector<std::string> all;
    const std::string xml =
        "<xml><CreateTime>1772447000</CreateTime><Event>change_external_chat</Event>"
        "<ChatId>wrX</ChatId><ChangeType>" +
        type + "</ChangeType><UpdateDetail>" + detail + "</UpdateDetail><MemChangeList>" + list +
        "</MemChangeList></xml>";
    for (const Told& each : told_by_wecom(*parse_xml(xml), true, {})) {
      EXPECT_EQ(each.time, Timestamp{1'772'447'000'000'000});
      EXPECT_THAT(each.fields, ElementsAre(testing::Pair("group", "wrX")));
      all.push_back(each.person + " " + each.type);
    }
    return all;
  };
  EXPECT_THAT(
      of_group("update", "add_member", "<Item>wmA</Item><Item>zhang</Item><Item>woB</Item>"),
      ElementsAre("wmA joined_group", "woB joined_group"));
  EXPECT_THAT(of_group("update", "del_member", "wmA,zhang,wmB"),
              ElementsAre("wmA left_group", "wmB left_group"));
  EXPECT_THAT(of_group("update", "change_name", "<Item>wmA</Item>"), ElementsAre());
  EXPECT_THAT(of_group("dismiss", "", "<Item>wmA</Item>"), ElementsAre());
  EXPECT_THAT(of_group("update", "add_member", ""), ElementsAre());
}

class WecomCallbackTest : public WecomTest {
 protected:
  net::Asked sealed(const std::string& method, const std::string& text, bool spoil = false) {
    const PushCrypt crypt = *PushCrypt::open(wecom_push_token, wecom_push_key, corp);
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
  EXPECT_THAT(wrong("to", GivenValue("groups")), HasSubstr("`sender` is missing"));
  EXPECT_THAT(wrong("to", GivenValue("groups")), HasSubstr("`groups` must name"));
  EXPECT_THAT(wrong("encoding_key", std::nullopt), HasSubstr("belong together"));
  EXPECT_THAT(wrong("encoding_key", GivenValue("env:KOI_TEST_WECOM_TOKEN")),
              HasSubstr("43 letters"));
}

}  // namespace

std::unique_ptr<channel::Provider> wecom_provider() { return std::make_unique<Enterprise>(); }

}  // namespace koi::connectors
