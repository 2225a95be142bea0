#include "serve/calls.h"

#include <gtest/gtest.h>

#include "serve/detail/trial.h"

namespace koi::serve {
namespace {

plan::Plan a_plan() {
  plan::Plan plan;
  plan.campaigns.resize(3);
  plan.campaigns[0].symbol = {"greet", "问候"};
  plan.campaigns[0].triggers.resize(1);
  plan.campaigns[0].triggers[0].first.match.type = type_of(EngineEvent::Called);
  plan.campaigns[1].symbol = {"other", ""};
  plan.campaigns[2] = plan.campaigns[0];
  plan.campaigns[2].symbol = {"gone", ""};
  plan.campaigns[2].closed = true;
  plan.campaigns[2].takes_to = 0;
  return plan;
}

TEST(Calls, APathNamesTheCampaign) {
  EXPECT_EQ(called_campaign("/v1/campaigns/greet/call"), "greet");
  EXPECT_EQ(called_campaign("/v1/campaigns/call"), "");
  EXPECT_EQ(called_campaign("/v1/campaigns//call"), "");
  EXPECT_EQ(called_campaign("/v1/campaigns/a/b/call"), "");
  EXPECT_EQ(called_campaign("/v1/campaigns/greet"), "");
}

TEST(Calls, ACallIsAnEventOfTheCustomers) {
  const plan::Plan plan = a_plan();
  EXPECT_EQ(*event_of_call(plan, "greet", R"({"subject":"c\"1","id":"k1"})", noon),
            R"({"id":"k1","type":"called","time":"2026-03-02T12:00:00Z","subject":"c\"1",)"
            R"("data":{"campaign":"greet"}})");
  EXPECT_EQ(
      *event_of_call(plan, "问候", R"({"subject":"phone:1"})", noon),
      R"({"id":"call 问候 2026-03-02T12:00:00Z","type":"called","time":"2026-03-02T12:00:00Z",)"
      R"("subject":"phone:1","data":{"campaign":"greet"}})");
}

TEST(Calls, WhatCannotBeCalledIsSaid) {
  const plan::Plan plan = a_plan();
  EXPECT_EQ(event_of_call(plan, "other", R"({"subject":"c1"})", noon).error().code, "campaign");
  EXPECT_EQ(event_of_call(plan, "gone", R"({"subject":"c1"})", noon).error().code, "campaign");
  EXPECT_EQ(event_of_call(plan, "nobody", R"({"subject":"c1"})", noon).error().code, "campaign");
  for (const char* body :
       {"", "[]", "{}", R"({"subject":5})", R"({"subject":""})", "{\"subject\":"})
    EXPECT_EQ(event_of_call(plan, "greet", body, noon).error().code, "body") << body;
}

}  // namespace
}  // namespace koi::serve
