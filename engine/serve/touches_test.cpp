#include "serve/touches.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <random>

#include "net/client.h"
#include "serve/detail/trial.h"

namespace koi::serve {
namespace {

using testing::HasSubstr;

constexpr const char* browser = "Mozilla/5.0 (Linux; Android 14) MicroMessenger/8.0 Mobile";
const store::SentMessage message{
    noon, {7, 9}, "ann", "mail", "winter", "hello", "https://shop.example/帽子?a=1&b=\"2\""};

TEST(MessageLinks, ATokenNamesOneMessageAndNobodyCanMakeOneUp) {
  const MessageLinks links("https://m.example.com", std::string(32, 's'));
  const std::string token = links.token_of(message.name());
  EXPECT_EQ(token.size(), 27u);
  EXPECT_EQ(links.read(token), message.name());
  EXPECT_FALSE(MessageLinks("https://m.example.com", std::string(32, 't')).read(token));
  // Changing any letter's bits spoils it (the last has two that mean nothing).
  for (std::size_t i = 0; i + 1 < token.size(); ++i) {
    std::string spoilt = token;
    spoilt[i] = spoilt[i] == 'A' ? 'B' : 'A';
    EXPECT_FALSE(links.read(spoilt)) << i;
  }
  for (const std::string& none :
       {std::string(), token + "A", token.substr(1), std::string(27, '!')})
    EXPECT_FALSE(links.read(none));
  std::mt19937_64 chance(5);
  for (int round = 0; round < 20'000; ++round) {
    std::string made(27, 'A');
    for (char& c : made) c = "ABCDabcd0123-_xyz"[chance() % 17];
    EXPECT_FALSE(links.read(made));
  }
}

TEST(MessageLinks, OnlyLinksOfTheWebAreReplaced) {
  const MessageLinks links("https://m.example.com/k", std::string(32, 's'));
  Delivery delivery;
  delivery.key = {7, 9};
  delivery.content = "hello";
  delivery.link = "pages/index?x=1";
  links.dress(delivery, noon);
  EXPECT_EQ(delivery.link, "pages/index?x=1");
  const std::string token = links.token_of(message.name());
  EXPECT_EQ(delivery.opened_mark, "https://m.example.com/k/o/" + token);
  EXPECT_EQ(delivery.unsubscribe, "https://m.example.com/k/u/" + token);
  delivery.link = "https://shop.example/";
  links.dress(delivery, noon);
  EXPECT_EQ(delivery.link, "https://m.example.com/k/l/" + token);
}

TEST(MessageLinks, TheStaffGetsOneToTakeWhatIsToBeTakenAndNoOther) {
  const MessageLinks links("https://m.example.com", std::string(32, 's'));
  Delivery delivery;
  delivery.key = {7, 9};
  delivery.channel = "care";
  links.dress(delivery, noon);
  EXPECT_EQ(delivery.link + delivery.opened_mark + delivery.unsubscribe, "");
  delivery.take_by = noon + minutes(15);
  links.dress(delivery, noon);
  EXPECT_EQ(delivery.link, "https://m.example.com/t/" + links.token_of(message.name()));
  EXPECT_EQ(delivery.opened_mark + delivery.unsubscribe, "");
}

TEST(Location, HoldsNothingThatIsNotOfAnAddress) {
  EXPECT_EQ(as_location("https://a.example/\r\nSet-Cookie: x"),
            "https://a.example/%0D%0ASet-Cookie:%20x");
  EXPECT_EQ(as_location("https://a.example/?q=a%20b&c=帽"),
            "https://a.example/?q=a%20b&c=%E5%B8%BD");
}

TEST(Visitor, ProgramsAreToldFromPeople) {
  const auto who = [](const char* method, net::Headers headers, Duration after = minutes(1)) {
    net::Asked asked;
    asked.method = method;
    asked.headers = std::move(headers);
    return visitor_of(asked, noon, noon + after);
  };
  EXPECT_EQ(who("GET", {{"User-Agent", browser}}), Visitor::Person);
  EXPECT_EQ(who("HEAD", {{"User-Agent", browser}}), Visitor::Preview);
  EXPECT_EQ(who("GET", {{"User-Agent", browser}, {"Sec-Purpose", "prefetch;prerender"}}),
            Visitor::Preview);
  EXPECT_EQ(who("GET", {{"User-Agent", browser}}, seconds(1)), Visitor::Scanner);
  EXPECT_EQ(who("GET", {}), Visitor::Preview);
  for (const char* const agent : {"Mozilla/5.0", "facebookexternalhit/1.1", "Googlebot/2.1",
                                  "Mozilla/5.0 (compatible; bingbot/2.0)", "WhatsApp/2.23"})
    EXPECT_EQ(who("GET", {{"User-Agent", agent}}), Visitor::Preview) << agent;
}

class TouchesTest : public ::testing::Test {
 protected:
  struct Said {
    int status = 0;
    std::string location, body;
  };
  Said ask(const std::string& method, const std::string& path, const std::string& agent = browser,
           const std::string& form = "") {
    Said said;
    bool over = false;
    const auto exchange = [&]() -> asio::awaitable<void> {
      const net::Handler handler = [&](net::Asked asked, net::Reply reply) {
        EXPECT_TRUE(Touches::is_of(asked));
        touches.take(std::move(asked), std::move(reply));
      };
      net::ServerSettings settings;
      const auto door = co_await net::Server::open(context, std::move(settings), handler);
      net::Client client(context.get_executor());
      net::Request request;
      request.method = method;
      request.url = "http://127.0.0.1:" + std::to_string((*door)->port()) + path;
      request.headers = {{"User-Agent", agent}};
      request.body = form;
      const auto response = co_await client.send(std::move(request));
      if (response) {
        said.status = response->status;
        said.body = response->body;
        const std::string* const location = net::find(response->headers, "Location");
        if (location) said.location = *location;
      }
      over = true;
    };
    asio::co_spawn(context, exchange(), asio::detached);
    while (!over) {
      context.restart();
      context.run_for(std::chrono::milliseconds(2));
    }
    return said;
  }

  asio::io_context context;
  runtime::ManualClock clock{noon + minutes(1)};
  MessageLinks links{"https://m.example.com", std::string(32, 's')};
  std::string token = links.token_of(message.name());
  std::string taken;
  bool door_is_shut = false, is_dropped = false, is_of_staff = false;
  std::vector<std::string> takers;
  Touches touches{
      context.get_executor(), links, clock,
      Touches::Ways{[](const std::function<void()>& work) { work(); },
                    [this](store::SentName name) -> Result<std::optional<store::SentMessage>> {
                      if (is_dropped || name != message.name())
                        return std::optional<store::SentMessage>();
                      store::SentMessage found = message;
                      if (is_of_staff) found.content.clear();
                      return std::optional(found);
                    },
                    [this](const std::string& line, const Door::Answer& answer) {
                      if (door_is_shut) return answer(Error{"busy", "later"});
                      taken += line;
                      answer(std::vector<LineResult>{{Came::Accepted, ""}});
                    },
                    [this](Hash128 key, std::string by) {
                      EXPECT_EQ(key, message.key);
                      takers.push_back(std::move(by));
                      return takers.size() == 1;
                    }}};
};

TEST_F(TouchesTest, AClickIsAnEventAndLeadsToTheDeclaredAddress) {
  const Said said = ask("GET", "/l/" + token + "?u=https://evil.example/");
  EXPECT_EQ(said.status, 302);
  EXPECT_EQ(said.location, "https://shop.example/%E5%B8%BD%E5%AD%90?a=1&b=%222%22");
  EXPECT_EQ(taken, R"({"id":"clicked:)" + token +
                       R"(:1772452860","type":"clicked","time":"2026-03-02T12:01:00Z",)"
                       R"("subject":"ann","data":{"content":"hello","channel":"mail",)"
                       R"("campaign":"winter"}})"
                       "\n");
  EXPECT_EQ(touches.figures().clicks, 1u);
}

TEST_F(TouchesTest, ProgramsAreLedOnAndMakeNoEvent) {
  EXPECT_EQ(ask("GET", "/l/" + token, "WhatsApp/2.23").status, 302);
  EXPECT_EQ(ask("HEAD", "/l/" + token).status, 302);
  clock.set(noon + seconds(1));
  EXPECT_EQ(ask("GET", "/l/" + token).status, 302);
  EXPECT_EQ(taken, "");
  EXPECT_EQ(touches.figures().previews, 2u);
  EXPECT_EQ(touches.figures().scanners, 1u);
}

TEST_F(TouchesTest, WhatIsNoLinkOfOursLeadsNowhere) {
  for (const std::string& path :
       {std::string("/l/x"), "/l/" + std::string(27, 'A'), "/o/" + token + "A"}) {
    const Said said = ask("GET", path);
    EXPECT_EQ(said.status, 404);
    EXPECT_EQ(said.location, "");
  }
  is_dropped = true;
  EXPECT_EQ(ask("GET", "/l/" + token).status, 404);
  EXPECT_EQ(touches.figures().unknown, 4u);
  EXPECT_EQ(ask("DELETE", "/l/" + token).status, 405);
}

TEST_F(TouchesTest, WhoFollowsALinkIsLedOnThoughNothingCanBeKept) {
  door_is_shut = true;
  EXPECT_EQ(ask("GET", "/l/" + token).status, 302);
  EXPECT_EQ(touches.figures().lost, 1u);
}

TEST_F(TouchesTest, TheMarkIsAPictureAndSaysOpenedOnce) {
  const Said said = ask("GET", "/o/" + token);
  EXPECT_EQ(said.status, 200);
  EXPECT_EQ(said.body.substr(0, 6), "GIF89a");
  EXPECT_EQ(said.body.size(), 43u);
  EXPECT_THAT(taken, HasSubstr("\"id\":\"opened:" + token + "\",\"type\":\"opened\""));
}

TEST_F(TouchesTest, LeavingTakesAPostAndIsAnsweredWhenItIsKept) {
  EXPECT_THAT(ask("GET", "/u/" + token).body, HasSubstr("<form method=\"post\">"));
  EXPECT_EQ(taken, "") << "a scanner that follows every link must not unsubscribe anybody";
  door_is_shut = true;
  EXPECT_EQ(ask("POST", "/u/" + token).status, 503);
  door_is_shut = false;
  EXPECT_EQ(ask("POST", "/u/" + token).status, 200);
  EXPECT_THAT(taken, HasSubstr(R"("type":"unsubscribed")"));
  EXPECT_THAT(taken, HasSubstr(R"("channel":"mail")"));
}

TEST_F(TouchesTest, TheStaffTakesByAPostWithANameAndTheFirstHasIt) {
  is_of_staff = true;
  const std::string address = "/t/" + token;
  EXPECT_THAT(ask("GET", address).body, HasSubstr("name=\"by\""));
  for (const char* const nobody : {"", "by=", "by=%20%0A", "by=%FF", "name=x"})
    EXPECT_THAT(ask("POST", address, browser, nobody).body, HasSubstr("name=\"by\"")) << nobody;
  EXPECT_THAT(ask("POST", address, browser, "by=" + std::string(201, 'x')).body,
              HasSubstr("name=\"by\""));
  EXPECT_TRUE(takers.empty()) << "to look at it takes nothing";
  EXPECT_EQ(ask("POST", address, browser, "by=%E5%BC%A0%E4%B8%89%0A+").status, 200);
  EXPECT_EQ(ask("POST", address, browser, "by=Li+Si").status, 409);
  EXPECT_THAT(takers, testing::ElementsAre("张三", "Li Si"));
  EXPECT_EQ(touches.figures().taken, 1u);
  EXPECT_EQ(taken, "") << "it is a receipt, and no event of the customer";
}

TEST_F(TouchesTest, WhatIsTheStaffsHasNoOtherAddressAndACustomersMessageCannotBeTaken) {
  EXPECT_EQ(ask("POST", "/t/" + token, browser, "by=Zhang").status, 404);
  is_of_staff = true;
  for (const char* const kind : {"/l/", "/o/", "/u/"})
    EXPECT_EQ(ask("GET", kind + token).status, 404);
  EXPECT_EQ(ask("POST", "/u/" + token).status, 404);
  EXPECT_TRUE(takers.empty());
  EXPECT_EQ(taken, "");
}

}  // namespace
}  // namespace koi::serve
