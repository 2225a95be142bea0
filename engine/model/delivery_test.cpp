#include "model/delivery.h"

#include <gtest/gtest.h>

namespace koi {
namespace {

TEST(Delivery, ItsPrintedFormHoldsNothingOfThePersonNorOfTheTexts) {
  Delivery delivery;
  delivery.key = {1, 2};
  delivery.customer = "ann";
  delivery.addresses = {{"phone", "+8613800138000"}};
  delivery.channel = "sms";
  delivery.campaign = "welcome";
  delivery.content = "greeting";
  delivery.title = "Dear Ann";
  delivery.body = "Your code is 42";
  delivery.link = "https://example.com/ann";
  delivery.attempt = 3;
  EXPECT_EQ(to_string(delivery),
            "delivery 00000000000000010000000000000002 (greeting of welcome via sms, attempt 3)");
}

}  // namespace
}  // namespace koi
