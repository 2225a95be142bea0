#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "base/scratch.h"
#include "channel/connector.h"
#include "smtp/bounce.h"
#include "smtp/message.h"
#include "smtp/pretend_server.h"
#include "smtp/reply.h"

namespace koi::connectors {
const channel::ConnectorType& smtp();
namespace {

using namespace channel;
using testing::HasSubstr;
using testing::Not;
using To = net::MailAnswer::To;

class SmtpTest : public ::testing::Test {
 protected:
  Result<std::unique_ptr<Connector>> open(Given given) {
    auto settings = Settings::read(smtp().settings, given);
    if (!settings) return std::move(settings).error();
    Tools tools{context.get_executor(), &http,
                [] { return *parse_instant("2026-03-02T10:30:00Z"); },
                [](Level, std::string_view) {}};
    return smtp().open(*settings, std::move(tools));
  }
  Outcome deliver(Connector& connector, Delivery delivery) {
    Outcome outcome;
    asio::co_spawn(context, connector.deliver(std::move(delivery)),
                   [&](std::exception_ptr, Outcome got) {
                     outcome = std::move(got);
                     context.stop();
                   });
    context.restart();
    context.run_for(std::chrono::seconds(10));
    return outcome;
  }
  Outcome deliver(Delivery delivery) {
    auto connector = open(server.settings());
    EXPECT_TRUE(connector) << connector.error().what;
    return connector ? deliver(**connector, std::move(delivery)) : Outcome{};
  }
  std::string told(Delivery delivery) { return to_string(deliver(std::move(delivery))); }

  static Delivery greeting() {
    Delivery delivery;
    delivery.key = {0xab, 0xcd};
    delivery.customer = "ann/1";
    delivery.addresses = {{"email", "ann@example.com"}};
    delivery.channel = "email";
    delivery.campaign = "welcome";
    delivery.title = "恭喜发财，您的新年红包已到账，请在二十四小时内领取";
    delivery.body = "Dear Ann\n\n.one dot\n<b>& \"more\"";
    delivery.link = "https://shop.example/?a=1&b=2";
    return delivery;
  }

  asio::io_context context;
  net::Client http{context.get_executor()};
  PretendServer server;
};

TEST_F(SmtpTest, TheServerGetsAWellFormedMessageUnderTheKey) {
  EXPECT_EQ(told(greeting()), "done");
  EXPECT_EQ(server.wrong(), "");
  ASSERT_EQ(server.taken().size(), 1u);
  const auto mail = server.taken()[0];
  EXPECT_EQ(mail.from, "news@shop.example");
  EXPECT_EQ(mail.to, "ann@example.com");
  for (const char* const line :
       {"Date: Mon, 2 Mar 2026 10:30:00 +0000\r\n", "To: ann@example.com\r\n",
        "From: =?utf-8?B?5bCP5bqXIFNob3A=?=\r\n <news@shop.example>\r\n",
        "Message-ID: <00000000000000ab00000000000000cd@shop.example>\r\n", "MIME-Version: 1.0\r\n",
        "List-Unsubscribe: \r\n <https://shop.example/leave?c=ann%2F1&t=",
        "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n", "\r\n.one dot\r\n"})
    EXPECT_THAT(mail.message, HasSubstr(line));
}

TEST_F(SmtpTest, OneConnectionCarriesOneMessageAfterTheOther) {
  auto connector = open(server.settings());
  ASSERT_TRUE(connector);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(to_string(deliver(**connector, greeting())), "done");
  EXPECT_EQ(server.taken().size(), 3u);
  EXPECT_EQ(server.connections(), 1u);
}

TEST_F(SmtpTest, ARefusedRecipientDoesNotSpoilTheConnection) {
  auto connector = open(server.settings());
  ASSERT_TRUE(connector);
  server.answer("RCPT", "550 5.1.1 no");
  EXPECT_THAT(to_string(deliver(**connector, greeting())), HasSubstr("refused (unreachable)"));
  server.next(Act::Accept);
  EXPECT_EQ(to_string(deliver(**connector, greeting())), "done");
  EXPECT_EQ(server.taken().size(), 1u);
}

TEST_F(SmtpTest, WhatIsSaidToEachCommandHasItsOutcome) {
  const auto said = [&](const char* command, const char* line) {
    server.next(Act::Accept);
    server.answer(command, line);
    return told(greeting());
  };
  EXPECT_EQ(said("AUTH", "535 5.7.8 no"),
            "refused (credentials): the server answered 535 5.7.8 to the login");
  EXPECT_THAT(said("AUTH", "454 4.7.0 later"), HasSubstr("deferred: the server answered 454"));
  EXPECT_EQ(said("MAIL", "550 not you"),
            "refused (credentials): the server answered 550 to the sender");
  EXPECT_EQ(said("RCPT", "550 ann@example.com is unknown"),
            "refused (unreachable): the server answered 550 to the recipient");
  EXPECT_THAT(said("RCPT", "451 4.7.1 greylisted"), HasSubstr("deferred"));
  EXPECT_EQ(said("DATA", "554 5.5.1 no"),
            "refused (bad_content): the server answered 554 5.5.1 to the message");
  EXPECT_EQ(said(".", "552 5.3.4 too big"),
            "refused (bad_content): the server answered 552 5.3.4 to the message");
  EXPECT_THAT(said(".", "451 4.3.0 disk"), HasSubstr("deferred"));
  EXPECT_THAT(said("RCPT", ""), HasSubstr("deferred"));
  EXPECT_EQ(server.taken().size(), 0u);
  EXPECT_THAT(said(".", ""), HasSubstr("unknown: 127.0.0.1: "));
  EXPECT_EQ(server.wrong(), "");
}

TEST_F(SmtpTest, AnAnswerThatComesTooLateIsNotTakenForTheNextMessages) {
  Given given = server.settings();
  given["answer_within"] = "2s";
  auto connector = open(given);
  ASSERT_TRUE(connector);
  server.answer(".", "late 250 OK");
  EXPECT_THAT(to_string(deliver(**connector, greeting())), HasSubstr("unknown: "));
  std::this_thread::sleep_for(std::chrono::milliseconds(900));
  server.next(Act::Refuse);
  EXPECT_THAT(to_string(deliver(**connector, greeting())),
              HasSubstr("refused (unreachable): the server answered 550 5.1.1 to the recipient"));
  EXPECT_EQ(server.connections(), 2u);
}

TEST_F(SmtpTest, NothingIsSaidInTheClearAndNobodyIsTrustedWithoutReason) {
  server.offer(false, true);
  EXPECT_THAT(told(greeting()), HasSubstr("refused (credentials): 127.0.0.1: it does not offer"));
  server.offer(true, true);
  Given given = server.settings();
  given.erase("ca_file");
  auto connector = open(given);
  ASSERT_TRUE(connector);
  EXPECT_THAT(to_string(deliver(**connector, greeting())), HasSubstr("deferred: 127.0.0.1: SSL"));
  EXPECT_EQ(server.wrong(), "");
  EXPECT_EQ(server.taken().size(), 0u);
}

TEST_F(SmtpTest, HostileTextsMakeNoHeadersAndNoCommands) {
  Delivery hostile = greeting();
  hostile.title = "Hi\r\nBcc: eve@example.com\r\n\r\nnot the body";
  hostile.body =
      "a\r\n.\r\nMAIL FROM:<eve@example.com>\r\n\n.\n\r.\r\0b\x80"
      "--=_koi_000000000000000000000000000000ab";
  hostile.customer = "x>\r\nBcc: eve@example.com";
  hostile.link = "javascript:\"><script>";
  EXPECT_EQ(told(hostile), "done");
  EXPECT_EQ(server.wrong(), "");
  ASSERT_EQ(server.taken().size(), 1u);
  const std::string message = server.taken()[0].message;
  EXPECT_THAT(message.substr(0, message.find("\r\n\r\n")), Not(HasSubstr("\r\nBcc")));
  EXPECT_THAT(message.substr(message.find("text/html")), Not(HasSubstr("<script>")));

  for (const char* const address :
       {"ann@example.com>\r\nRCPT TO:<eve@example.com", "ann@example.com\nx", "a b@example.com",
        "ann", "@example.com", "ann@", "ann@example.com,eve@example.com", "安@example.com",
        "ann@exam ple.com", "\"ann\"@example.com", ".ann@example.com", "ann@example..com"}) {
    hostile.addresses[0].value = address;
    EXPECT_THAT(told(hostile), HasSubstr("refused (unreachable)")) << address;
  }
  EXPECT_EQ(server.taken().size(), 1u);
}

TEST_F(SmtpTest, APageOfOnesOwnGetsTheTextsEscapedAndOnce) {
  const std::string path = testing::TempDir() + "koi_smtp_page.html";
  std::FILE* const file = std::fopen(path.c_str(), "w");
  ASSERT_TRUE(file);
  std::fputs("<style>p {color: red}</style>{title}|{body}|<a href='{link}'>{unsubscribe}", file);
  std::fclose(file);
  Given given = server.settings();
  given["page"] = path;
  auto connector = open(given);
  ASSERT_TRUE(connector) << connector.error().what;
  Delivery delivery = greeting();
  delivery.title = "a";
  delivery.body = "{link} <i>";
  delivery.link = "https://x/'";
  EXPECT_EQ(to_string(deliver(**connector, delivery)), "done");
  EXPECT_THAT(server.taken().at(0).message,
              HasSubstr("<style>p {color: red}</style>a|{link} &lt;i&gt;|<a href"));
  EXPECT_THAT(server.taken().at(0).message, HasSubstr("<a href=3D'https://x/&#39;'"));
  std::remove(path.c_str());
}

TEST_F(SmtpTest, BouncesNameTheMessageAndTheTokenIsOfCustomerAndChannel) {
  Given given = server.settings();
  given["bounce_to"] = "bounce+{key}@shop.example";
  auto connector = open(given);
  ASSERT_TRUE(connector) << connector.error().what;
  Delivery other = greeting();
  other.key = {1, 2};
  Delivery third = other;
  third.customer = "bob";
  for (const Delivery& delivery : {greeting(), other, third})
    EXPECT_EQ(to_string(deliver(**connector, delivery)), "done");
  const auto taken = server.taken();
  ASSERT_EQ(taken.size(), 3u);
  EXPECT_EQ(taken[0].from, "bounce+00000000000000ab00000000000000cd@shop.example");
  const auto token = [&](std::size_t i) {
    return taken[i].message.substr(taken[i].message.find("&t=") + 3, 32);
  };
  EXPECT_THAT(token(0), testing::MatchesRegex("[0-9a-f]+"));
  EXPECT_EQ(token(0), token(1));
  EXPECT_NE(token(0), token(2));
}

TEST_F(SmtpTest, SettingsThatDoNotFitAreNamed) {
  const auto wrong = [&](std::string name, std::string value) {
    Given given = server.settings();
    given[name] = value;
    const auto opened = open(given);
    return opened ? "fine" : opened.error().what;
  };
  EXPECT_THAT(wrong("from", "Shop <news@shop.example>"), HasSubstr("`from` must be an address"));
  EXPECT_THAT(wrong("reply_to", "x\r\nBcc: y@z"), HasSubstr("`reply_to` must be an address"));
  EXPECT_THAT(wrong("host", "mail.example.com/x"), HasSubstr("`host` must be a name"));
  EXPECT_THAT(wrong("page", "/nowhere.html"), HasSubstr("does the file exist?"));
  EXPECT_THAT(wrong("unsubscribe_url", "https://shop.example/leave"), HasSubstr("belong together"));
  EXPECT_THAT(wrong("unsubscribe_url", "https://shop.example/{token}>"),
              HasSubstr("must be ASCII"));
  Given given = server.settings();
  given["security"] = "none";
  given["host"] = "mail.example.com";
  EXPECT_THAT(open(given).error().what, HasSubstr("cross the network"));
  given.erase("password");
  EXPECT_THAT(open(given).error().what, HasSubstr("`user` and `password` belong together"));
}

TEST(SmtpReply, HasTheClassOfItsCodes) {
  struct Row {
    To to;
    int code;
    const char* enhanced;
    const char* outcome;
  };
  for (const Row& row : {
           Row{To::Greeting, 554, "", "refused (credentials)"},
           Row{To::Greeting, 421, "4.3.2", "deferred"},
           Row{To::Login, 535, "", "refused (credentials)"},
           Row{To::Login, 454, "4.7.0", "deferred"},
           Row{To::Sender, 530, "5.7.0", "refused (credentials)"},
           Row{To::Sender, 550, "5.7.60", "refused (credentials)"},
           Row{To::Sender, 553, "5.1.8", "refused (credentials)"},
           Row{To::Sender, 552, "5.3.4", "refused (bad_content)"},
           Row{To::Sender, 550, "5.4.5", "refused (quota)"},
           Row{To::Recipient, 450, "", "deferred"},
           Row{To::Recipient, 451, "4.7.1", "deferred"},
           Row{To::Recipient, 452, "4.2.2", "deferred"},
           Row{To::Recipient, 550, "", "refused (unreachable)"},
           Row{To::Recipient, 550, "5.1.1", "refused (unreachable)"},
           Row{To::Recipient, 550, "5.1.0", "refused (unreachable)"},
           Row{To::Recipient, 551, "", "refused (unreachable)"},
           Row{To::Recipient, 553, "5.1.3", "refused (unreachable)"},
           Row{To::Recipient, 550, "5.2.1", "refused (unreachable)"},
           Row{To::Recipient, 556, "5.1.10", "refused (unreachable)"},
           Row{To::Recipient, 552, "5.2.2", "deferred"},
           Row{To::Recipient, 554, "5.7.1", "refused (credentials)"},
           Row{To::Message, 550, "", "refused (bad_content)"},
           Row{To::Message, 550, "5.7.515", "refused (credentials)"},
           Row{To::Message, 552, "5.2.3", "refused (bad_content)"},
           Row{To::Message, 554, "5.6.0", "refused (bad_content)"},
           Row{To::Message, 554, "", "refused (bad_content)"},
       }) {
    net::MailAnswer answer{.to = row.to, .code = row.code, .enhanced = row.enhanced};
    EXPECT_THAT(to_string(outcome_of(answer, 1)), testing::StartsWith(row.outcome))
        << row.code << ' ' << row.enhanced;
  }
  net::MailAnswer full{.to = To::Recipient, .code = 552, .enhanced = "5.2.2"};
  EXPECT_THAT(to_string(outcome_of(full, 5)), HasSubstr("refused (unreachable)"));
  net::MailAnswer slow{.to = To::Sender, .code = 421, .enhanced = "4.7.0"};
  EXPECT_TRUE(std::get<Deferred>(outcome_of(slow, 1)).throttled);
  EXPECT_FALSE(std::get<Deferred>(outcome_of(slow, 1)).of_person);
  const net::MailAnswer greylisted{.to = To::Recipient, .code = 450, .enhanced = "4.7.1"};
  const net::MailAnswer no_room{.to = To::Message, .code = 452, .enhanced = "4.2.2"};
  for (const net::MailAnswer& of_one : {greylisted, no_room})
    EXPECT_TRUE(std::get<Deferred>(outcome_of(of_one, 1)).of_person);
}

// Each word is at most 75 long and each line at most 76 (RFC 2047, 2).
TEST(SmtpHeader, IsFoldedIntoWordsOfWholeCharacters) {
  EXPECT_EQ(header_text("新年红包", 9), "=?utf-8?B?5paw5bm057qi5YyF?=");
  EXPECT_EQ(header_text("plain & simple", 9), "plain & simple");
  EXPECT_THAT(header_text("=?utf-8?Q?x?=", 9), testing::StartsWith("=?utf-8?B?"));
  EXPECT_THAT(header_text("a\r\nb", 9), "a  b");
  std::string text;
  for (int i = 0; i < 300; ++i) {
    text += i % 3 == 0 ? "🎉" : i % 3 == 1 ? "包" : "x";
    const std::string folded = header_text(text, 9);
    std::size_t at = 0, used = 9;
    while (at < folded.size()) {
      const std::size_t end = std::min(folded.find("\r\n", at), folded.size());
      EXPECT_LE(used + end - at, 76u);
      EXPECT_LE(end - at, 76u);
      at = end + 2;
      used = 0;
    }
  }
}

TEST(SmtpPage, IsMadeOfTheTextAlone) {
  EXPECT_EQ(
      page_of("T<", "one\ntwo\r\n\r\n\r\nthree & <b>", "https://x.example/?a&b\""),
      "<!DOCTYPE html>\n<html>\n<head><meta charset=\"utf-8\"><title>T&lt;</title></head>\n"
      "<body>\n<p>one<br>\ntwo</p>\n<p>three &amp; &lt;b&gt;</p>\n"
      "<p><a href=\"https://x.example/?a&amp;b&quot;\">https://x.example/?a&amp;b&quot;</a></p>\n"
      "</body>\n</html>\n");
}

// --- What comes back

// As Postfix writes them (RFC 3464), `id` being the Message-ID of what came back.
std::string postfix_bounce(const std::string& id, const std::string& action = "failed") {
  return "Return-Path: <>\r\nFrom: MAILER-DAEMON@mx.example (Mail Delivery System)\r\n"
         "Subject: Undelivered Mail Returned to Sender\r\nTo: news@shop.example\r\n"
         "MIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=delivery-status;\r\n"
         "\tboundary=\"9B095B5ADSN.1/mx.example\"\r\n\r\nThis is a MIME-encapsulated "
         "message.\r\n\r\n"
         "--9B095B5ADSN.1/mx.example\r\nContent-Description: Notification\r\n"
         "Content-Type: text/plain; charset=us-ascii\r\n\r\nI'm sorry\r\n\r\n"
         "--9B095B5ADSN.1/mx.example\r\nContent-Description: Delivery report\r\n"
         "Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example\r\n"
         "Arrival-Date: Mon,  2 Mar 2026 10:30:01 +0000 (UTC)\r\n\r\n"
         "Final-Recipient: rfc822; ann.real@elsewhere.example\r\n"
         "Original-Recipient: rfc822;ann@example.com\r\nAction: " +
         action +
         "\r\n"
         "Status: 5.1.1\r\nDiagnostic-Code: smtp; 550 5.1.1\r\n    User unknown\r\n\r\n"
         "--9B095B5ADSN.1/mx.example\r\nContent-Type: text/rfc822-headers\r\n\r\n"
         "From: news@shop.example\r\nTo: ann@example.com\r\nMessage-ID: <" +
         id + "@shop.example>\r\n\r\n--9B095B5ADSN.1/mx.example--\r\n";
}

// The example of RFC 5965 (B.2), with ours inside, and line feeds alone as mailboxes keep them.
std::string complaint(const std::string& id, const std::string& type = "abuse") {
  return "From: <abusedesk@example.com>\nSubject: FW: Earn money\nTo: <abuse@example.net>\n"
         "MIME-Version: 1.0\nContent-Type: multipart/report; report-type=feedback-report;\n"
         "     boundary=\"part1_13d.2e68ed54_boundary\"\n\n"
         "--part1_13d.2e68ed54_boundary\nContent-Type: text/plain; charset=\"US-ASCII\"\n\n"
         "This is an email abuse report.\n--part1_13d.2e68ed54_boundary\n"
         "Content-Type: message/feedback-report\n\nFeedback-Type: " +
         type +
         "\n"
         "User-Agent: SomeGenerator/1.0\nVersion: 1\nOriginal-Mail-From: <news@shop.example>\n"
         "Original-Rcpt-To: <ann@example.com>\n\n--part1_13d.2e68ed54_boundary\n"
         "Content-Type: message/rfc822\n\nFrom: <news@shop.example>\nMessage-ID: <" +
         id +
         "@shop.example>\nTo: Ann <Ann@Example.com>\n\nSpam\n--part1_13d.2e68ed54_boundary--\n";
}

TEST(Bounces, AreReadAsServersWriteThem) {
  const auto bounces = bounces_in(postfix_bounce("abc.def"));
  ASSERT_EQ(bounces.size(), 1u);
  EXPECT_EQ(bounces[0].what, Bounce::What::Failed);
  EXPECT_EQ(bounces[0].person, "ann@example.com");
  EXPECT_EQ(bounces[0].status, "5.1.1");
  EXPECT_EQ(bounces[0].mark, "abc.def");
  const auto complaints = bounces_in(complaint("abc"));
  ASSERT_EQ(complaints.size(), 1u);
  EXPECT_EQ(complaints[0].what, Bounce::What::Complaint);
  EXPECT_EQ(complaints[0].person, "Ann@Example.com");
  EXPECT_EQ(complaints[0].mark, "abc");
}

TEST(Bounces, OtherMailIsNone) {
  for (const std::string& mail :
       {std::string(), std::string("\n"), std::string("From: ann@example.com\n\nHello"),
        postfix_bounce("a", "delayed"), complaint("a", "not-spam"),
        std::string("Content-Type: multipart/mixed; boundary=\n\n--\n--\n")})
    EXPECT_TRUE(bounces_in(mail).empty()) << mail.substr(0, 60);
  // Cut anywhere, it ends, and never makes more of it than there is.
  const std::string whole = postfix_bounce("a");
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_LE(bounces_in(whole.substr(0, size)).size(), 1u);
  std::string deep = "x";
  for (int i = 0; i < 50; ++i)
    deep = "Content-Type: multipart/x; boundary=b\n\n--b\n" + deep + "\n--b--\n";
  EXPECT_TRUE(bounces_in(deep).empty());
}

class SmtpBounceTest : public SmtpTest {
 protected:
  SmtpBounceTest() {
    setenv("KOI_TEST_BOUNCE_SECRET", "bounce-secret-of-the-test", 1);
    setenv("KOI_TEST_BOUNCE_TOKEN", "bounce-token", 1);
  }
  Given given() {
    Given given = server.settings();
    given["bounce_secret"] = "env:KOI_TEST_BOUNCE_SECRET";
    given["callback_token"] = "env:KOI_TEST_BOUNCE_TOKEN";
    return given;
  }
  Received wait_for(asio::awaitable<Received> work) {
    Received received;
    asio::co_spawn(context, std::move(work), [&](std::exception_ptr, Received got) {
      received = std::move(got);
      context.stop();
    });
    context.restart();
    context.run_for(std::chrono::seconds(10));
    return received;
  }
  Received post(Connector& connector, std::string mail, std::string query = "token=bounce-token") {
    net::Asked asked{.method = "POST", .path = "/", .query = std::move(query), .headers = {}};
    asked.body = std::move(mail);
    return wait_for(connector.receive(std::move(asked)));
  }
  // What stands before the @ in the Message-ID of the mail that the server took.
  std::string mark_of_taken() {
    const std::string mail = server.taken().back().message;
    const std::size_t at = mail.find("Message-ID: <") + 13;
    return mail.substr(at, mail.find('@', at) - at);
  }
};

TEST_F(SmtpBounceTest, WhatComesBackToWhomWeWroteIsBelieved) {
  auto connector = open(given());
  ASSERT_TRUE(connector);
  ASSERT_EQ(to_string(deliver(**connector, greeting())), "done");
  const std::string mark = mark_of_taken();
  EXPECT_EQ(mark.size(), 49u);
  const Received bounced = post(**connector, postfix_bounce(mark));
  EXPECT_EQ(bounced.answer.status, 200);
  ASSERT_EQ(bounced.events.size(), 1u);
  EXPECT_EQ(bounced.events[0].type, "bounced");
  EXPECT_EQ(bounced.events[0].person, "ann@example.com");
  ASSERT_EQ(bounced.reports.size(), 1u);
  EXPECT_EQ(bounced.reports[0].key, (Hash128{0xab, 0xcd}));
  const Received complained = post(**connector, complaint(mark));
  ASSERT_EQ(complained.events.size(), 1u);
  EXPECT_EQ(complained.events[0].type, "unsubscribed");

  // Who knows the key of his own mail cannot speak of others.
  for (const std::string& wrong :
       {mark.substr(0, 32), mark.substr(0, 48) + (mark[48] == '0' ? "1" : "0"), std::string("x")})
    EXPECT_TRUE(post(**connector, postfix_bounce(wrong)).events.empty());
  std::string of_another = postfix_bounce(mark);
  while (of_another.find("ann@example.com") != std::string::npos)
    of_another.replace(of_another.find("ann@example.com"), 3, "bob");
  EXPECT_TRUE(post(**connector, of_another).events.empty());
  EXPECT_EQ(post(**connector, postfix_bounce(mark), "token=x").answer.status, 403);
}

TEST_F(SmtpBounceTest, AMailboxIsReadAndWhatIsKeptIsSeen) {
  const Scratch folder;
  for (const char* const name : {"new", "cur", "tmp"})
    std::filesystem::create_directory(folder / name);
  Given with = given();
  with["bounces"] = folder.path().string();
  with["look_every"] = "5s";
  auto connector = open(with);
  ASSERT_TRUE(connector);
  EXPECT_EQ((*connector)->look_every(), seconds(5));
  ASSERT_EQ(to_string(deliver(**connector, greeting())), "done");
  std::ofstream(folder / "new/1.host") << postfix_bounce(mark_of_taken());
  std::ofstream(folder / "new/2.host") << "Subject: hello\n\nHow are you?\n";
  for (int times = 0; times < 2; ++times) {  // until it is kept it is told again
    const Received told = wait_for((*connector)->look());
    ASSERT_EQ(told.events.size(), 1u);
    if (times == 1) told.kept();
  }
  EXPECT_TRUE(wait_for((*connector)->look()).events.empty());
  EXPECT_TRUE(std::filesystem::exists(folder / "cur/1.host:2,S"));
  EXPECT_TRUE(std::filesystem::is_empty(folder / "new"));
}

TEST_F(SmtpBounceTest, WithoutTheSecretNothingThatComesBackIsTaken) {
  Given with = server.settings();
  with["callback_token"] = "env:KOI_TEST_BOUNCE_TOKEN";
  const auto opened = open(with);
  ASSERT_FALSE(opened);
  EXPECT_THAT(opened.error().what, HasSubstr("needs `bounce_secret`"));
}

TEST_F(SmtpTest, AddressesOfThisDeploymentStandInTheMessage) {
  Given given = server.settings();
  given.erase("unsubscribe_url");
  given.erase("unsubscribe_secret");
  auto connector = open(given);
  ASSERT_TRUE(connector) << connector.error().what;
  Delivery delivery = greeting();
  delivery.opened_mark = "https://m.example.com/o/TOKEN";
  delivery.unsubscribe = "https://m.example.com/u/TOKEN";
  ASSERT_EQ(to_string(deliver(**connector, delivery)), "done");
  const std::string mail = server.taken().back().message;
  EXPECT_THAT(mail, HasSubstr("List-Unsubscribe: \r\n <https://m.example.com/u/TOKEN>"));
  EXPECT_THAT(mail, HasSubstr("List-Unsubscribe-Post: List-Unsubscribe=One-Click"));
}

}  // namespace

std::unique_ptr<channel::Provider> smtp_provider() { return std::make_unique<PretendServer>(); }

}  // namespace koi::connectors
