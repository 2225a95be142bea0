#include "channel/limits.h"

#include <gtest/gtest.h>

#include <array>

namespace koi::channel {
namespace {

std::string times(std::size_t count, const std::string& character) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i) text += character;
  return text;
}

TEST(Lengths, AreInTheProvidersOwnUnits) {
  const std::string text = "aé包🎉";
  EXPECT_EQ(length_in(Unit::Bytes, text), 1u + 2 + 3 + 4);
  EXPECT_EQ(length_in(Unit::Characters, text), 4u);
  EXPECT_EQ(length_in(Unit::Utf16, text), 5u);
  EXPECT_EQ(length_in(Unit::Characters, "\xff\xfe"), 2u);
  EXPECT_EQ(length_in(Unit::Bytes, ""), 0u);
}

TEST(Lengths, OfTextMessagesAreSeventyUnitsOrSixtySevenEach) {
  const auto of = [](std::size_t count, const std::string& character) {
    return length_in(Unit::Segments, times(count, character));
  };
  EXPECT_EQ(of(0, "x"), 1u);
  EXPECT_EQ(of(70, "包"), 1u);
  EXPECT_EQ(of(71, "包"), 2u);
  EXPECT_EQ(of(134, "x"), 2u);
  EXPECT_EQ(of(135, "x"), 3u);
  EXPECT_EQ(of(35, "🎉"), 1u);
  EXPECT_EQ(of(36, "🎉"), 2u);
}

constexpr std::array settings_taken{
    Setting{.name = "most", .kind = Setting::Kind::Number, .help = "How many.", .otherwise = "2"}};
constexpr std::array plain_lengths{Length{.of = Length::Of::Title, .most = 5},
                                   Length{.of = Length::Of::Link, .most = 20},
                                   Length{.unit = Unit::Characters, .most = 10}};
constexpr std::array sms_lengths{
    Length{.of = Length::Of::BodyAndLink, .unit = Unit::Segments, .most_is = "most"}};
constexpr std::array forms{
    Form{.name = "plain", .format = Format::Text, .lengths = plain_lengths},
    Form{.name = "sms", .format = Format::Template, .lengths = sms_lengths},
    Form{.name = "money", .format = Format::Payment},
};

Result<WayOf> way_of(const Given& given) {
  if (given_text(given, "file") == "missing") return Error{"settings", "`file` cannot be read"};
  return WayOf([](std::string_view content, bool is_answer) {
    if (content == "packet") return Way{"money"};
    return content == "code" && !is_answer ? Way{"sms", "【shop】"} : Way{"plain"};
  });
}
const ConnectorType type{.name = "both",
                         .summary = "x",
                         .settings = settings_taken,
                         .capabilities = {.forms = forms},
                         .way_of = way_of};

Delivery delivery(std::string content, std::string title, std::string body, std::string link = "") {
  Delivery made;
  made.content = std::move(content);
  made.title = std::move(title);
  made.body = std::move(body);
  made.link = std::move(link);
  return made;
}
std::string refusal(const Delivery& delivery, const Given& given = {}) {
  const auto limits = Limits::of(type, given);
  return limits ? limits->refusal(delivery) : limits.error().what;
}

TEST(Limits, AreThoseOfTheFormByWhichAContentGoes) {
  EXPECT_EQ(refusal(delivery("ad", "Title", "1234")), "");
  EXPECT_EQ(refusal(delivery("ad", "Titles", "1")), "its title has 6 bytes, of 5 that are taken");
  EXPECT_EQ(refusal(delivery("ad", "", "", times(21, "x"))),
            "its link has 21 bytes, of 20 that are taken");
  EXPECT_EQ(refusal(delivery("ad", "", times(10, "包"))), "");
  EXPECT_EQ(refusal(delivery("ad", "Title", "12345")),
            "its text has 11 characters, of 10 that are taken");
  // 6 of the signature, the body, a blank and the link.
  EXPECT_EQ(refusal(delivery("code", "a title that is not sent", times(120, "x"), "1234567")), "");
  EXPECT_EQ(refusal(delivery("code", "", times(120, "x"), "12345678")),
            "its text has 3 text messages, of 2 that are taken");
}

TEST(Limits, FollowTheSettingThatIsNamed) {
  const Delivery longer = delivery("code", "", times(150, "x"));
  EXPECT_NE(refusal(longer), "");
  EXPECT_EQ(refusal(longer, {{"most", std::int64_t{3}}}), "");
  EXPECT_EQ(refusal(longer, {{"file", "missing"}}), "`file` cannot be read");
}

TEST(Limits, AnAnswerMayGoByAnotherForm) {
  Delivery answer = delivery("code", "", times(11, "x"));
  EXPECT_EQ(refusal(answer), "");
  answer.reply_to = "e1";
  EXPECT_EQ(refusal(answer), "its text has 11 characters, of 10 that are taken");
}

TEST(Limits, MoneyGoesWhereMoneyIsCarriedAndNothingElseDoes) {
  Delivery paying = delivery("packet", "", "luck");
  EXPECT_EQ(refusal(paying), "the channel carries money alone");
  paying.payout = Payout{100, "CNY", ""};
  EXPECT_EQ(refusal(paying), "");
  paying.content = "ad";
  EXPECT_EQ(refusal(paying), "the channel carries no money");
  const ConnectorType anything{.name = "file", .summary = "x"};
  EXPECT_EQ(Limits::of(anything, {})->refusal(paying), "");
}

TEST(Limits, AreSaidInWords) {
  EXPECT_EQ(to_string(plain_lengths[2]), "its text has at most 10 characters");
  EXPECT_EQ(to_string(sms_lengths[0]), "its text has at most `most` text messages");
  EXPECT_EQ(to_string(Amount{30, Amount::Per::Second, Amount::Of::Requests}),
            "30 requests a second");
  EXPECT_EQ(to_string(Amount{9, Amount::Per::Day, Amount::Of::Messages}), "9 messages a day");
}

}  // namespace
}  // namespace koi::channel
