#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <set>

#include "channel/codes.h"
#include "channel/connector.h"
#include "channel/push_crypt.h"
#include "connectors/http_provider.h"
#include "wait_for.h"
#include "wechat_official/codes.h"
#include "wechat_official/inbound.h"
#include "wechat_official/messages.h"

namespace koi::connectors {
const channel::ConnectorType& wechat_official();
namespace {

using namespace channel;
using testing::HasSubstr;
using Json = nlohmann::json;

constexpr const char* app_secret = "appsecret-of-the-test";
constexpr const char* wechat_push_token = "pushtoken-of-the-test";
constexpr const char* wechat_push_key = "kWxPEV2UEDyxWpmPdKC3F4dgPDmOvfKX1HGnEUDS1aR";

// The platform: it lends one token at a time, takes what comes under it, and answers errors with
// status 200.
class Platform final : public HttpProvider {
 public:
  // What it lends and was asked, shared with the script.
  struct Books {
    int lent = 0;
    bool valid = false;
    std::string asked_for_token;
    std::int64_t refuses_tokens = 0;  // the code
    bool forgets_each = false;
    std::map<std::string, int> tags;              // their ids
    std::map<int, std::set<std::string>> tagged;  // followers, by tag
    std::vector<Json> codes;                      // that were asked for
    int tag_made = 0, tags_listed = 0;
    std::string token() const { return "42_token-" + std::to_string(lent); }
  };
  explicit Platform(std::shared_ptr<Books> kept = std::make_shared<Books>())
      : HttpProvider(script(kept)), books(std::move(kept)) {
    setenv("KOI_TEST_WECHAT_SECRET", app_secret, 1);
    setenv("KOI_TEST_WECHAT_TOKEN", wechat_push_token, 1);
    setenv("KOI_TEST_WECHAT_KEY", wechat_push_key, 1);
  }
  Given settings() const override {
    return {{"url", address()},
            {"app_id", "wx1234"},
            {"app_secret", "env:KOI_TEST_WECHAT_SECRET"},
            {"token", "env:KOI_TEST_WECHAT_TOKEN"},
            {"messages", file_with("wechat.json", R"({
              "greeting": {"as": "template", "template": "T1", "text": "{{text.DATA}}"},
              "cart": {"as": "subscription", "template": "T2",
                       "text": "商品：{{thing1.DATA}}\n价格：{{amount2.DATA}}"},
              "talk": {"as": "customer_service"}})")},
            {"answer_within", within()}};
  }
  Given settings_to_gather() const override {
    Given given = settings();
    given["messages"] = file_with("wechat_mass.json", R"({"greeting": {"as": "mass"}})");
    return given;
  }
  Given to_tag() const {
    Given given = settings();
    given["does"] = "tags";
    return given;
  }
  std::vector<std::string> secrets() const override {
    return {app_secret, "42_token-", wechat_push_token};
  }
  Address person() const override { return {"openid", "oABC-123_xyz"}; }

  std::shared_ptr<Books> books;  // only while nothing is under way

 private:
  static net::Answer coded(std::int64_t code) {
    return {.body = R"({"errcode":)" + std::to_string(code) +
                    R"(,"errmsg":"told rid: 1","msgid":7,"msg_data_id":8})"};
  }
  // Tags and codes.
  static net::Answer beside(Books& books, const net::Asked& asked) {
    const net::Headers query = net::query_of(asked.query);
    const std::string* const token = net::find(query, "access_token");
    if (!token || *token != books.token() || !books.valid) return coded(42001);
    const Json body = Json::parse(asked.body, nullptr, false);
    if (asked.path == "/cgi-bin/tags/get") {
      if (asked.method != "GET") return coded(43001);
      ++books.tags_listed;
      Json all{{"tags", Json::array()}};
      for (const auto& [name, id] : books.tags) all["tags"].push_back({{"id", id}, {"name", name}});
      return {.body = all.dump()};
    }
    if (asked.path == "/cgi-bin/tags/create") {
      const std::string name = body["tag"].value("name", "");
      if (name == "too long") return coded(45158);
      if (books.tags.contains(name)) return coded(45157);
      books.tags[name] = 100 + ++books.tag_made;
      return {.body = Json{{"tag", {{"id", books.tags[name]}, {"name", name}}}}.dump()};
    }
    if (asked.path == "/cgi-bin/qrcode/create") {
      books.codes.push_back(body);
      return {.body =
                  R"({"ticket":"gQH47j/+=","expire_seconds":60,"url":"http://weixin.example/q"})"};
    }
    const int id = body.value("tagid", 0);
    const bool is_there = std::any_of(books.tags.begin(), books.tags.end(),
                                      [&](const auto& tag) { return tag.second == id; });
    if (!is_there) return coded(45159);
    const std::string person = body["openid_list"][0];
    if (person == "oELSEWHERE") return coded(49003);
    if (asked.path == "/cgi-bin/tags/members/batchtagging")
      books.tagged[id].insert(person);
    else
      books.tagged[id].erase(person);
    return coded(0);
  }
  static Script script(const std::shared_ptr<Books>& books) {
    Script script;
    script.aside = [books](const net::Asked& asked) -> std::optional<net::Answer> {
      if (asked.path.starts_with("/cgi-bin/tags/") || asked.path == "/cgi-bin/qrcode/create")
        return beside(*books, asked);
      if (asked.path != "/cgi-bin/stable_token") return std::nullopt;
      books->asked_for_token = asked.body;
      if (books->refuses_tokens) return coded(books->refuses_tokens);
      const Json body = Json::parse(asked.body, nullptr, false);
      if (asked.method != "POST" || !body.is_object() || body.value("secret", "") != app_secret ||
          body.value("appid", "") != "wx1234" ||
          body.value("grant_type", "") != "client_credential")
        return coded(40125);
      if (!books->valid) ++books->lent;
      books->valid = !books->forgets_each;
      return net::Answer{.body =
                             R"({"access_token":")" + books->token() + R"(","expires_in":7200})"};
    };
    script.forget = [books] { books->valid = false; };
    script.key_of = [books](const net::Asked& asked) -> std::optional<std::string> {
      const net::Headers query = net::query_of(asked.query);
      const std::string* const token = net::find(query, "access_token");
      const Json body = Json::parse(asked.body, nullptr, false);
      if (!token || *token != books->token() || !books->valid || !body.is_object() ||
          !body.contains("touser") || asked.method != "POST")
        return std::nullopt;
      const Json& to = body["touser"];
      if (asked.path == "/cgi-bin/message/mass/send") {
        const std::string number = body.value("clientmsgid", "");
        if (!to.is_array() || to.size() < 2 || to.size() > 10'000 || number.empty() ||
            number.size() > 64 || body.value("msgtype", "") != "text" ||
            body["text"].value("content", "").empty())
          return std::nullopt;
        return number;
      }
      if (!to.is_string() || to.get<std::string>().empty()) return std::nullopt;
      return body.value("client_msg_id", "none");
    };
    script.accepted = coded(0);
    script.refused = coded(43004);
    script.refusals = {{Failure::Unreachable, coded(43004)},
                       {Failure::WindowClosed, coded(45015)},
                       {Failure::BadContent, coded(45168)},
                       {Failure::Quota, coded(45009)},
                       {Failure::Credentials, coded(48001)}};
    script.busy = coded(45011);
    script.nonsense = {.status = 200, .body = R"({"errco)"};
    script.denied = coded(42001);
    return script;
  }
};

class WechatOfficialTest : public ::testing::Test {
 protected:
  Result<std::unique_ptr<Connector>> open(Given given) {
    auto settings = Settings::read(wechat_official().settings, given);
    if (!settings) return std::move(settings).error();
    Tools tools{context.get_executor(), &http, [this] { return now; },
                [](Level, std::string_view) {}, &notes};
    return wechat_official().open(*settings, std::move(tools));
  }
  std::string deliver(Connector& connector, Delivery delivery) {
    Outcome outcome;
    asio::co_spawn(context, connector.deliver(std::move(delivery)),
                   [&](std::exception_ptr, Outcome got) {
                     outcome = std::move(got);
                     context.stop();
                   });
    context.restart();
    context.run_for(std::chrono::seconds(10));
    return to_string(outcome);
  }
  std::string deliver(Delivery delivery) {
    auto connector = open(platform.settings());
    EXPECT_TRUE(connector) << connector.error().what;
    return connector ? deliver(**connector, std::move(delivery)) : "";
  }
  static Delivery greeting(std::string content) {
    Delivery delivery;
    delivery.key = {0xab, 0xcd};
    delivery.addresses = {{"openid", "oABC"}};
    delivery.content = std::move(content);
    delivery.title = "标题";
    delivery.body = "商品：\"鞋\"\n价格：5元";
    delivery.link = "https://shop.example/?a=1";
    return delivery;
  }
  asio::io_context context;
  net::Client http{context.get_executor()};
  Timestamp now = *parse_instant("2026-03-02T10:30:00Z");
  Notebook notes{[this] { return now; }};
  Platform platform;
};

TEST_F(WechatOfficialTest, EachKindOfMessageHasItsPlaceAndItsFields) {
  EXPECT_EQ(deliver(greeting("greeting")), "done");
  EXPECT_EQ(platform.books->asked_for_token,
            R"({"grant_type":"client_credential","appid":"wx1234","secret":")" +
                std::string(app_secret) + R"(","force_refresh":false})");
  EXPECT_EQ(platform.last().path, "/cgi-bin/message/template/send");
  EXPECT_EQ(platform.last().query, "access_token=42_token-1");
  EXPECT_EQ(platform.last().body,
            R"({"touser":"oABC","template_id":"T1","url":"https://shop.example/?a=1",)"
            R"("client_msg_id":"00000000000000ab00000000000000cd",)"
            R"("data":{"text":{"value":"商品：\"鞋\"\n价格：5元"}}})");
  EXPECT_EQ(deliver(greeting("cart")), "done");
  EXPECT_EQ(platform.last().path, "/cgi-bin/message/subscribe/bizsend");
  EXPECT_EQ(platform.last().body,
            R"({"touser":"oABC","template_id":"T2","page":"https://shop.example/?a=1",)"
            R"("data":{"thing1":{"value":"\"鞋\""},"amount2":{"value":"5元"}}})");
  for (const char* const content : {"talk", "not named"}) {
    EXPECT_EQ(deliver(greeting(content)), "done");
    EXPECT_EQ(platform.last().path, "/cgi-bin/message/custom/send");
    EXPECT_EQ(platform.last().body,
              R"({"touser":"oABC","msgtype":"text","text":{"content":"标题\n商品：\"鞋\"\n)"
              R"(价格：5元\nhttps://shop.example/?a=1"}})");
  }
  Delivery other = greeting("cart");
  other.body = "something else";
  EXPECT_EQ(deliver(other), "refused (bad_content): its text does not fit its template");
}

TEST_F(WechatOfficialTest, ATokenIsKeptWhileItIsTaken) {
  auto connector = open(platform.settings());
  ASSERT_TRUE(connector);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(deliver(**connector, greeting("talk")), "done");
  EXPECT_EQ(platform.books->lent, 1);
  platform.next(Act::Expired);
  EXPECT_EQ(deliver(**connector, greeting("talk")), "done");
  EXPECT_EQ(platform.books->lent, 2);
  now = now + hours(2);
  platform.books->valid = false;
  EXPECT_EQ(deliver(**connector, greeting("talk")), "done");
  EXPECT_EQ(platform.books->lent, 3);
}

TEST_F(WechatOfficialTest, ATokenThatIsNeverTakenIsAskedForOnceMoreAndNoMore) {
  platform.books->forgets_each = true;
  EXPECT_EQ(deliver(greeting("talk")), "refused (credentials): it answered 42001 to a new token");
  EXPECT_EQ(platform.books->lent, 2);
}

TEST_F(WechatOfficialTest, WithoutATokenNothingIsSent) {
  const auto refused_with = [&](std::int64_t code) {
    platform.books->refuses_tokens = code;
    return deliver(greeting("talk"));
  };
  EXPECT_EQ(refused_with(40164), "refused (credentials): asked for a token, it answered 40164");
  EXPECT_EQ(refused_with(40001), "refused (credentials): asked for a token, it answered 40001");
  EXPECT_EQ(refused_with(45009), "refused (quota): asked for a token, it answered 45009");
  EXPECT_EQ(refused_with(-1), "deferred: asked for a token, it answered -1");
  EXPECT_EQ(refused_with(45011), "deferred: asked for a token, it answered 45011");
  EXPECT_EQ(platform.accepted().size(), 0u);
}

TEST_F(WechatOfficialTest, AFileOfMessagesThatIsNoneIsNamed) {
  const auto wrong = [&](const std::string& text) {
    Given given = platform.settings();
    given["messages"] = file_with("wechat_wrong.json", text);
    const auto opened = open(given);
    return opened ? "fine" : opened.error().what;
  };
  EXPECT_THAT(wrong("["), HasSubstr("must be a JSON object"));
  EXPECT_THAT(wrong(R"({"a": {"as": "sms"}})"), HasSubstr("`a`: `as` must be"));
  EXPECT_THAT(wrong(R"({"a": {"as": "template"}})"), HasSubstr("needs `template` and `text`"));
  EXPECT_THAT(wrong(R"({"a": {"as": "customer_service", "text": "x"}})"),
              HasSubstr("takes no template"));
  EXPECT_THAT(wrong(R"({"a": {"as": "template", "template": "T", "text": "{{a}}"}})"),
              HasSubstr("no `.DATA}}`"));
  EXPECT_THAT(wrong(R"({"a": {"as": "template", "template": "T", "text": "x", "id": "T"}})"),
              HasSubstr("`id` is not known here"));
}

// --- What is pushed

std::string pushed(const std::string& inner) {
  return "<xml><ToUserName><![CDATA[gh_1]]></ToUserName><FromUserName><![CDATA[oABC]]>"
         "</FromUserName><CreateTime>1772447000</CreateTime>" +
         inner + "</xml>";
}
std::string event(const std::string& name, const std::string& more = "") {
  return pushed("<MsgType><![CDATA[event]]></MsgType><Event><![CDATA[" + name + "]]></Event>" +
                more);
}
// "TYPE name=value …" for each that a push tells of.
std::vector<std::string> wechat_tells(const std::string& xml, bool follow_consents = true) {
  std::vector<std::string> all;
  for (const Told& each : told_by_wechat(*parse_xml(xml), follow_consents, {})) {
    EXPECT_EQ(each.person, "oABC");
    EXPECT_EQ(each.time, Timestamp{1'772'447'000'000'000});
    std::string text = each.type;
    for (const auto& [name, value] : each.fields) text += " " + name + "=" + value;
    all.push_back(text);
  }
  return all;
}

TEST(WechatPush, TellsOfFollowersAndTheirConsent) {
  using testing::ElementsAre;
  EXPECT_THAT(wechat_tells(event("subscribe", "<EventKey><![CDATA[qrscene_expo]]></EventKey>")),
              ElementsAre("follow scene=expo", "scan scene=expo", "consented"));
  EXPECT_THAT(wechat_tells(event("subscribe"), false), ElementsAre("follow scene="));
  EXPECT_THAT(wechat_tells(event("unsubscribe")), ElementsAre("unfollow", "unsubscribed"));
  EXPECT_THAT(wechat_tells(event("SCAN", "<EventKey>expo</EventKey>")),
              ElementsAre("scan scene=expo"));
  EXPECT_THAT(wechat_tells(event("CLICK", "<EventKey>deals</EventKey>")),
              ElementsAre("menu key=deals"));
  EXPECT_THAT(wechat_tells(event("LOCATION")), ElementsAre());
  EXPECT_THAT(wechat_tells(event("subscribe_msg_popup_event",
                                 "<SubscribeMsgPopupEvent><List><TemplateId>T</TemplateId>"
                                 "<SubscribeStatusString>reject</SubscribeStatusString></List>"
                                 "</SubscribeMsgPopupEvent>")),
              ElementsAre("notice_choice template=T choice=reject"));
  const auto text = [](const std::string& content) {
    return pushed("<MsgType>text</MsgType><Content>" + content + "</Content><MsgId>77</MsgId>");
  };
  EXPECT_THAT(wechat_tells(text("hello")), ElementsAre("replied kind=text"));
  EXPECT_THAT(wechat_tells(text("退订")), ElementsAre("replied kind=text", "unsubscribed"));
  EXPECT_THAT(told_by_wechat(*parse_xml("<xml/>"), true, {}), ElementsAre());
}

TEST(WechatPush, ComesAgainUnderTheSameIds) {
  const auto ids = [](const std::string& xml) {
    std::set<std::string> all;
    for (const Told& each : told_by_wechat(*parse_xml(xml), true, Timestamp{5}))
      all.insert(each.id);
    return all;
  };
  const std::string follow = event("subscribe", "<EventKey>qrscene_1</EventKey>");
  EXPECT_EQ(ids(follow).size(), 3u);
  EXPECT_EQ(ids(follow), ids(follow));
  EXPECT_NE(ids(event("CLICK", "<EventKey>a</EventKey>")),
            ids(event("CLICK", "<EventKey>b</EventKey>")));
}

// The platform's side of the callback address.
class WechatCallbackTest : public WechatOfficialTest {
 protected:
  Received receive(Given given, net::Asked asked) {
    auto connector = open(std::move(given));
    EXPECT_TRUE(connector) << connector.error().what;
    if (!connector) return {};
    return wait_for(context, (*connector)->receive(std::move(asked)));
  }
  static net::Asked plain(std::string method, std::string body, std::string more = "") {
    return {.method = std::move(method),
            .path = "/",
            .query = "signature=" + push_signature({wechat_push_token, "1772447001", "n1"}) +
                     "&timestamp=1772447001&nonce=n1" + more,
            .headers = {},
            .body = std::move(body)};
  }
  Given encrypted() {
    Given given = platform.settings();
    given["encoding_key"] = "env:KOI_TEST_WECHAT_KEY";
    return given;
  }
  PushCrypt crypt = *PushCrypt::open(wechat_push_token, wechat_push_key, "wx1234");
};

TEST_F(WechatCallbackTest, TheAddressIsProvenByTheEcho) {
  const Received received =
      receive(platform.settings(), plain("GET", "", "&echostr=5927782489442352469"));
  EXPECT_EQ(received.answer.status, 200);
  EXPECT_EQ(received.answer.body, "5927782489442352469");
  net::Asked wrong = plain("GET", "", "&echostr=5");
  wrong.query.replace(wrong.query.find("n1"), 2, "n2");
  EXPECT_EQ(receive(platform.settings(), wrong).answer.status, 403);
}

TEST_F(WechatCallbackTest, PlainPushesAreTakenWhereNoKeyIsSet) {
  const Received received = receive(platform.settings(), plain("POST", event("unsubscribe")));
  EXPECT_EQ(received.answer.body, "success");
  ASSERT_EQ(received.events.size(), 2u);
  EXPECT_EQ(received.events[1].type, "unsubscribed");
  EXPECT_EQ(receive(platform.settings(), plain("POST", "<xml>")).answer.status, 400);
  // With a key, what is not encrypted is not the platform's.
  EXPECT_EQ(receive(encrypted(), plain("POST", event("unsubscribe"))).answer.status, 403);
}

TEST_F(WechatCallbackTest, EncryptedPushesAreOpenedAndAnsweredEncrypted) {
  Given given = encrypted();
  given["replies"] = file_with("wechat_replies.json", R"({"follow": "欢迎 <你>", "menu:a": "A"})");
  const std::string sealed = crypt.encrypt(event("subscribe"), "0123456789abcdef");
  std::string body = "<xml>";
  append_xml(body, "ToUserName", "gh_1");
  append_xml(body, "Encrypt", sealed);
  body += "</xml>";
  const std::string signature = crypt.signature("1772447001", "n1", sealed);
  const Received received = receive(
      given, plain("POST", body, "&openid=oABC&encrypt_type=aes&msg_signature=" + signature));
  EXPECT_EQ(received.answer.status, 200);
  EXPECT_EQ(received.events.size(), 2u);
  const auto outer = parse_xml(received.answer.body);
  ASSERT_TRUE(outer) << received.answer.body;
  EXPECT_TRUE(crypt.is_signed(outer->text_of("MsgSignature"), outer->text_of("TimeStamp"),
                              outer->text_of("Nonce"), outer->text_of("Encrypt")));
  const auto inner = parse_xml(*crypt.decrypt(outer->text_of("Encrypt")));
  ASSERT_TRUE(inner);
  EXPECT_EQ(inner->text_of("ToUserName"), "oABC");
  EXPECT_EQ(inner->text_of("FromUserName"), "gh_1");
  EXPECT_EQ(inner->text_of("Content"), "欢迎 <你>");

  for (const std::string& wrong : {std::string(40, '0'), crypt.signature("1", "n1", sealed)}) {
    const Received refused =
        receive(given, plain("POST", body, "&encrypt_type=aes&msg_signature=" + wrong));
    EXPECT_EQ(refused.answer.status, 403);
    EXPECT_TRUE(refused.events.empty());
  }
}

TEST(WechatTemplates, TheRulesMayNameOneWithItsValues) {
  Delivery delivery;
  delivery.provider_template = "TM9";
  delivery.values = {{"keyword1", "茶 \"1\""}};
  delivery.body = "what others read";
  WechatMessage message;
  message.as = WechatMessage::As::Template;
  auto made = wechat_request(message, delivery, "o1");
  ASSERT_TRUE(made);
  EXPECT_EQ(made->path, "/cgi-bin/message/template/send");
  EXPECT_NE(made->body.find(R"("template_id":"TM9")"), std::string::npos) << made->body;
  EXPECT_NE(made->body.find(R"("data":{"keyword1":{"value":"茶 \"1\""}})"), std::string::npos)
      << made->body;
  message.as = WechatMessage::As::Subscription;
  EXPECT_EQ(wechat_request(message, delivery, "o1")->path, "/cgi-bin/message/subscribe/bizsend");
}

TEST_F(WechatCallbackTest, TheFateOfATemplateMessageEndsItsDelivery) {
  struct Row {
    const char* status;
    Failure failure;
  };
  Given given = platform.settings();
  given["report_within"] = "3h";
  for (const Row& row :
       {Row{"success", Failure::None}, Row{"failed:user block", Failure::Unreachable},
        Row{"failed: system failed", Failure::Failed},
        Row{"failed:freq limit", Failure::WindowClosed}}) {
    auto connector = open(given);
    ASSERT_TRUE(connector) << connector.error().what;
    EXPECT_EQ(deliver(**connector, greeting("greeting")),
              "pending for 3 hours: the platform reports on it");
    Received received;
    const auto report = [&](const char* number) {
      const std::string body = event("TEMPLATESENDJOBFINISH", "<MsgID>" + std::string(number) +
                                                                  "</MsgID><Status><![CDATA[" +
                                                                  row.status + "]]></Status>");
      asio::co_spawn(context, (*connector)->receive(plain("POST", body)),
                     [&](std::exception_ptr, Received got) {
                       received = std::move(got);
                       context.stop();
                     });
      context.restart();
      context.run_for(std::chrono::seconds(10));
    };
    report("7");
    ASSERT_EQ(received.reports.size(), 1u);
    EXPECT_EQ(received.reports[0].key, (Hash128{0xab, 0xcd}));
    EXPECT_EQ(received.reports[0].failure, row.failure) << row.status;
    report("8");
    EXPECT_TRUE(received.reports.empty()) << "it is somebody else's";
    EXPECT_EQ(deliver(**connector, greeting("talk")), "done") << "nobody reports on these";
    EXPECT_EQ((*connector)->reports_for(greeting("greeting")), hours(3));
    EXPECT_EQ((*connector)->reports_for(greeting("talk")), Duration{});
    connector = open(given);
    report("7");
    EXPECT_EQ(received.reports.size(), 1u) << "in the next life too";
    notes.forget("7");
  }
}

// --- One text to many

TEST_F(WechatCallbackTest, OneTextToManyIsOneMassMessage) {
  Given given = platform.settings_to_gather();
  given["report_within"] = "3h";
  auto connector = open(given);
  ASSERT_TRUE(connector) << connector.error().what;
  EXPECT_EQ((*connector)->together().most, 10'000u);
  std::vector<Delivery> two{greeting("greeting"), greeting("greeting")};
  two[1].key = {0xab, 0xce};
  two[1].addresses = {{"openid", "oDEF"}};
  EXPECT_EQ((*connector)->alike(two[0]), (*connector)->alike(two[1]));
  EXPECT_NE((*connector)->alike(two[0]), "");
  EXPECT_EQ((*connector)->alike(greeting("talk")), "");
  EXPECT_EQ(deliver(**connector, two[0]), "deferred: a mass message needs two people or more");
  const auto fate = [&](const std::string& number, const std::string& rest) {
    const std::string body = event("MASSSENDJOBFINISH", "<MsgID>" + number + "</MsgID>" + rest);
    return wait_for(context, (*connector)->receive(plain("POST", body))).reports;
  };
  const auto send = [&] {
    for (const Outcome& each : wait_for(context, (*connector)->deliver_together(two)))
      EXPECT_EQ(to_string(each), "pending for 3 hours: the platform reports on it");
  };
  send();
  const Json asked = Json::parse(platform.last().body);
  EXPECT_EQ(asked["touser"], Json::array({greeting("greeting").addresses[0].value, "oDEF"}));
  EXPECT_EQ(asked["text"]["content"], wechat_text(two[0]));
  send();
  EXPECT_EQ(Json::parse(platform.last().body)["clientmsgid"], asked["clientmsgid"])
      << "the platform knows the same request again";
  const std::string counts = "<TotalCount>2</TotalCount><FilterCount>2</FilterCount>";
  EXPECT_TRUE(
      fate("9", "<Status>send success</Status>" + counts + "<ErrorCount>0</ErrorCount>").empty());
  EXPECT_TRUE(
      fate("7", "<Status>send success</Status>" + counts + "<ErrorCount>1</ErrorCount>").empty())
      << "it does not say whom it has not reached";
  const auto all =
      fate("7", "<Status>send success</Status>" + counts + "<ErrorCount>0</ErrorCount>");
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].key, two[0].key);
  EXPECT_EQ(all[1].key, two[1].key);
  for (const Report& each : all) EXPECT_EQ(each.failure, Failure::None);
  connector = open(given);
  for (const Report& each : fate("7", "<Status>err(20001)</Status>" + counts))
    EXPECT_EQ(each.failure, Failure::Failed);
}

// --- Codes and tags

TEST_F(WechatOfficialTest, ACodeLeadsToTheAccountWithItsScene) {
  auto connector = open(platform.settings());
  ASSERT_TRUE(connector);
  const auto code = [&](std::string scene, std::optional<Duration> lasts) {
    CodeWanted wanted{std::move(scene), lasts};
    const auto made =
        wait_for_result(context, dynamic_cast<MakesCodes&>(**connector).code(std::move(wanted)));
    return made ? *made : made.error().what;
  };
  EXPECT_EQ(code("friend-of-ann", std::nullopt),
            "https://mp.weixin.qq.com/cgi-bin/showqrcode?ticket=gQH47j%2F%2B%3D");
  EXPECT_EQ(platform.books->codes[0], Json::parse(R"({"action_name":"QR_LIMIT_STR_SCENE",
                            "action_info":{"scene":{"scene_str":"friend-of-ann"}}})"));
  code("expo", days(30));
  EXPECT_EQ(platform.books->codes[1],
            Json::parse(R"({"action_name":"QR_STR_SCENE","expire_seconds":2592000,
                            "action_info":{"scene":{"scene_str":"expo"}}})"));
  EXPECT_THAT(code("expo", days(31)), HasSubstr("at most 30 days"));
  EXPECT_THAT(code("", std::nullopt), HasSubstr("1 to 64"));
  EXPECT_THAT(code(std::string(65, 'x'), std::nullopt), HasSubstr("1 to 64"));
  EXPECT_EQ(platform.books->codes.size(), 2u);
  platform.books->refuses_tokens = 40164;
  platform.books->valid = false;
  EXPECT_THAT(code("expo", std::nullopt), HasSubstr("40164"));
}

TEST_F(WechatOfficialTest, ACallPutsATagOnAFollowerAndTakesItOff) {
  auto connector = open(platform.to_tag());
  ASSERT_TRUE(connector) << connector.error().what;
  const auto call = [&](const std::string& body) {
    Delivery delivery;
    delivery.key = {1, 2};
    delivery.body = body;
    return deliver(**connector, std::move(delivery));
  };
  platform.books->tags = {{"old", 7}};
  EXPECT_EQ(call(R"({"openid":"oABC","tag":"vip"})"), "done");
  EXPECT_EQ(call(R"({"openid":"oDEF","tag":"vip"})"), "done");
  EXPECT_EQ(call(R"({"openid":"oABC","tag":"old","points":5})"), "done");
  const int vip = platform.books->tags.at("vip");
  EXPECT_EQ(platform.books->tagged[vip], (std::set<std::string>{"oABC", "oDEF"}));
  EXPECT_EQ(platform.books->tagged[7], (std::set<std::string>{"oABC"}));
  EXPECT_EQ(call(R"({"openid":"oABC","tag":"vip","remove":true})"), "done");
  EXPECT_EQ(platform.books->tagged[vip], (std::set<std::string>{"oDEF"}));
  EXPECT_EQ(platform.books->tags_listed, 1);
  // Somebody deletes the tag on the platform's page: it is looked up, and made again.
  platform.books->tags.erase("vip");
  EXPECT_EQ(call(R"({"openid":"oABC","tag":"vip"})"), "deferred: it answered 45159");
  EXPECT_EQ(call(R"({"openid":"oABC","tag":"vip"})"), "done");
  EXPECT_EQ(platform.books->tag_made, 2);
  EXPECT_EQ(call(R"({"openid":"oELSEWHERE","tag":"vip"})"),
            "refused (unreachable): it answered 49003");
  EXPECT_EQ(call(R"({"openid":"oABC","tag":"too long"})"),
            "refused (bad_content): it answered 45158");
  for (const char* const wrong :
       {"", "{}", "[]", R"({"openid":"o"})", R"({"tag":"vip"})", R"({"openid":7,"tag":"vip"})",
        R"({"openid":"o","tag":"vip","remove":"yes"})"})
    EXPECT_THAT(call(wrong), testing::StartsWith("refused (bad_content)")) << wrong;
}

TEST_F(WechatCallbackTest, WrongSettingsAreNamed) {
  const auto wrong = [&](const char* name, const std::string& value) {
    Given given = platform.settings();
    given[name] = value;
    const auto opened = open(given);
    return opened ? "fine" : opened.error().what;
  };
  EXPECT_THAT(wrong("encoding_key", "env:KOI_TEST_WECHAT_SECRET"), HasSubstr("43 letters"));
  EXPECT_THAT(wrong("replies", file_with("wechat_replies_2.json", R"({"hello": "x"})")),
              HasSubstr("`hello` is not known here"));
  EXPECT_THAT(wrong("replies", file_with("wechat_replies_3.json", "[")), HasSubstr("JSON object"));
}

TEST(WechatCodes, HaveTheirClasses) {
  struct Row {
    std::int64_t code;
    const char* outcome;
  };
  for (const Row& row : {Row{0, "done"},
                         Row{45065, "done"},
                         Row{40003, "refused (unreachable)"},
                         Row{43004, "refused (unreachable)"},
                         Row{43101, "refused (unreachable)"},
                         Row{48002, "refused (unreachable)"},
                         Row{45015, "refused (window_closed)"},
                         Row{45047, "refused (window_closed)"},
                         Row{45009, "refused (quota)"},
                         Row{45028, "refused (quota)"},
                         Row{45011, "deferred"},
                         Row{-1, "deferred"},
                         Row{40037, "refused (bad_content)"},
                         Row{47003, "refused (bad_content)"},
                         Row{45168, "refused (bad_content)"},
                         Row{48001, "refused (credentials)"},
                         Row{50002, "refused (credentials)"},
                         Row{40164, "refused (credentials)"},
                         Row{42001, "refused (credentials)"},
                         Row{99999, "refused (bad_content)"}})
    EXPECT_THAT(to_string(wechat_outcome(row.code)), testing::StartsWith(row.outcome)) << row.code;
  for (const std::int64_t code : {40001, 40014, 42001, 41001}) EXPECT_TRUE(is_of_token(code));
  EXPECT_FALSE(is_of_token(0));
  EXPECT_TRUE(std::get<Deferred>(wechat_outcome(45011)).throttled);
}

TEST(WechatReply, IsReadOrNone) {
  EXPECT_FALSE(wechat_reply("").readable);
  EXPECT_FALSE(wechat_reply("[]").readable);
  EXPECT_TRUE(wechat_reply("{}").readable);
  EXPECT_FALSE(wechat_reply(R"({"errcode":"0"})").code);
  EXPECT_EQ(wechat_reply(R"({"errcode":-1})").code, -1);
  EXPECT_EQ(wechat_reply(R"({"access_token":7,"expires_in":"x"})").token, "");
}

}  // namespace

std::unique_ptr<channel::Provider> wechat_official_provider() {
  return std::make_unique<Platform>();
}

}  // namespace koi::connectors
