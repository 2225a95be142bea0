#include "wechat_official/window.h"

#include <gtest/gtest.h>

namespace koi::connectors {
namespace {

const Timestamp start = *parse_instant("2026-03-02T10:00:00Z");

channel::XmlElement push(const std::string& person, const std::string& event) {
  const std::string what = event.empty() ? "<MsgType>text</MsgType>"
                                         : "<MsgType>event</MsgType><Event>" + event + "</Event>";
  return *channel::parse_xml("<xml><FromUserName>" + person + "</FromUserName>" + what + "</xml>");
}

class Window : public ::testing::Test {
 protected:
  void does(const std::string& person, const std::string& event, Duration after) {
    window.heard(push(person, event), start + days(2) + after);
  }
  bool is_closed(const std::string& person, Duration after) {
    return window.is_closed(person, start + days(2) + after);
  }
  void sent(const std::string& person, Duration after) {
    window.sent(person, start + days(2) + after);
  }
  WechatWindow window{start, 3};
};

TEST_F(Window, IsClosedToWhomNothingOpenedItOnceThatIsKnown) {
  EXPECT_FALSE(window.is_closed("ann", start));
  EXPECT_FALSE(window.is_closed("ann", start + hours(48) - microseconds(1)));
  EXPECT_TRUE(window.is_closed("ann", start + hours(48)));
}

TEST_F(Window, AMessageOpensItForTwoDaysAndFive) {
  does("ann", "", {});
  for (int i = 0; i < 5; ++i) {
    EXPECT_FALSE(is_closed("ann", hours(i)));
    sent("ann", hours(i));
  }
  EXPECT_TRUE(is_closed("ann", hours(5)));
  does("ann", "", hours(6));
  EXPECT_FALSE(is_closed("ann", hours(54) - microseconds(1)));
  EXPECT_TRUE(is_closed("ann", hours(54)));
  EXPECT_TRUE(is_closed("bob", hours(6)));
}

TEST_F(Window, ATouchOpensItForAMinuteAndThreeAndTakesNothingFromTheMessage) {
  for (const char* const touch : {"subscribe", "SCAN", "CLICK"}) {
    does("ann", touch, {});
    EXPECT_FALSE(is_closed("ann", seconds(59)));
    EXPECT_TRUE(is_closed("ann", minutes(1)));
    for (int i = 0; i < 3; ++i) sent("ann", seconds(1));
    EXPECT_TRUE(is_closed("ann", seconds(1)));
  }
  for (const char* const nothing : {"VIEW", "LOCATION", "TEMPLATESENDJOBFINISH"}) {
    does("bob", nothing, {});
    EXPECT_TRUE(is_closed("bob", {})) << nothing;
  }
  does("cleo", "", {});
  does("cleo", "CLICK", seconds(1));
  for (int i = 0; i < 7; ++i) sent("cleo", seconds(2));  // three of the touch, four of the message
  EXPECT_FALSE(is_closed("cleo", hours(1)));
  sent("cleo", hours(1));
  EXPECT_TRUE(is_closed("cleo", hours(1)));
}

TEST_F(Window, WhoGoesClosesIt) {
  does("ann", "", {});
  does("ann", "unsubscribe", seconds(1));
  EXPECT_TRUE(is_closed("ann", seconds(1)));
  does("ann", "subscribe", seconds(2));
  EXPECT_FALSE(is_closed("ann", seconds(2)));
}

TEST(WindowAtTheStart, WhatThePlatformSaysIsKnownAtOnceAndATouchSaysNothingOfMessagesBefore) {
  WechatWindow window(start);
  window.heard(push("ann", "CLICK"), start);
  EXPECT_FALSE(window.is_closed("ann", start + hours(1))) << "he may have written before";
  window.closed("bob", start);
  EXPECT_TRUE(window.is_closed("bob", start));
  window.heard(push("bob", "CLICK"), start + hours(1));
  EXPECT_FALSE(window.is_closed("bob", start + hours(1)));
  EXPECT_TRUE(window.is_closed("bob", start + hours(2)));
}

TEST_F(Window, WhoIsForgottenForWantOfRoomIsNotCalledClosed) {
  for (const char* const person : {"ann", "bob", "cleo", "dora"}) does(person, "", {});
  EXPECT_FALSE(is_closed("ann", hours(1))) << "he had written";
  EXPECT_FALSE(is_closed("dora", hours(1)));
  EXPECT_TRUE(is_closed("ann", hours(48)));
}

}  // namespace
}  // namespace koi::connectors
