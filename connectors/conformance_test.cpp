// What every connector promises, tried on each of the list against the provider that its own test
// brings. A connector that is not here is not built in.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <chrono>
#include <fstream>
#include <sstream>

#include "channel/limits.h"
#include "connectors/list.h"
#include "connectors/providers.h"
#include "wait_for.h"

namespace koi::connectors {
namespace {

using namespace channel;
using std::chrono::milliseconds;
using testing::HasSubstr;
using testing::Not;

Delivery delivery(std::uint64_t number, Address person = {}) {
  Delivery made;
  made.key = {0x1234'5678'0000'0000 + number, number};
  made.customer = "customer-ann";
  made.addresses = {std::move(person)};
  made.channel = "channel-x";
  made.campaign = "welcome";
  made.content = "greeting";
  made.title = "private-title";
  made.body = "private-body";
  made.link = "https://example.com/private-link";
  made.payout = Payout{520, "CNY", "private-remark"};
  return made;
}

// What is pending the provider has as well.
std::string came(const Outcome& outcome) {
  return std::holds_alternative<Pending>(outcome) ? "done" : to_string(outcome);
}

class Conformance : public ::testing::TestWithParam<Tried> {
 protected:
  void SetUp() override {
    provider = GetParam().provider();
    ASSERT_TRUE(provider);
  }
  bool plays(Act act) const {
    const auto acts = provider->acts();
    return std::find(acts.begin(), acts.end(), act) != acts.end();
  }
  // The connector must reach its provider as `settings` says after `next`. `patient`: its own limit
  // of time is far away.
  std::unique_ptr<Connector> open(bool patient = false) {
    return open(provider->settings(), patient);
  }
  std::unique_ptr<Connector> open(Given given, bool patient) {
    if (patient && given.contains("answer_within")) given["answer_within"] = "30s";
    auto settings = Settings::read(GetParam().type->settings, given);
    EXPECT_TRUE(settings) << settings.error().what;
    if (!settings) return nullptr;
    Tools tools{context.get_executor(), &http, [] { return Timestamp{1'772'447'400'000'000}; },
                [this](Level, std::string_view line) { said.append(line).append("\n"); }, &notes};
    auto connector = GetParam().type->open(*settings, std::move(tools));
    EXPECT_TRUE(connector) << connector.error().what;
    return connector ? *std::move(connector) : nullptr;
  }
  // One attempt, cancelled after `patience`.
  Outcome attempt(Connector& connector, std::uint64_t number,
                  milliseconds patience = milliseconds(30'000)) {
    return run(connector.deliver(delivery(number, provider->person())), patience);
  }
  Outcome run(asio::awaitable<Outcome> work, milliseconds patience = milliseconds(30'000)) {
    Outcome outcome;
    bool ended = false;
    asio::cancellation_signal cancel;
    asio::steady_timer timer(context, patience);
    timer.async_wait([&](const asio::error_code& error) {
      if (!error) cancel.emit(asio::cancellation_type::terminal);
    });
    const auto begin = std::chrono::steady_clock::now();
    asio::co_spawn(
        context, std::move(work),
        asio::bind_cancellation_slot(cancel.slot(), [&](std::exception_ptr thrown, Outcome got) {
          if (!thrown) outcome = std::move(got);
          ended = true;
          took = std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - begin);
          context.stop();  // what libcurl still waits for does not matter
        }));
    context.restart();
    context.run_for(patience + milliseconds(5000));
    EXPECT_TRUE(ended) << "it goes on for ever";
    said.append(to_string(outcome)).append("\n");
    return outcome;
  }
  // Three that are alike, in one request.
  std::vector<Outcome> together_when(Act act) {
    provider->next(act);
    const auto connector = open(provider->settings_to_gather(), false);
    if (!connector) return {};
    EXPECT_GE(connector->together().most, 3u);
    std::vector<Delivery> three;
    for (std::uint64_t i = 1; i <= 3; ++i) {
      Address person = provider->person();
      person.value.back() = static_cast<char>('0' + i);
      three.push_back(delivery(i, std::move(person)));
      EXPECT_NE(connector->alike(three[0]), "");
      EXPECT_EQ(connector->alike(three[0]), connector->alike(three.back()));
    }
    auto outcomes = wait_for(context, connector->deliver_together(std::move(three)));
    for (const Outcome& each : outcomes) said.append(to_string(each)).append("\n");
    return outcomes;
  }
  Outcome attempt_when(Act act, std::uint64_t number) {
    provider->next(act);
    const auto connector = open();
    const bool answers = act != Act::Silent && act != Act::Slow && act != Act::Deaf;
    return connector ? attempt(*connector, number, milliseconds(answers ? 30'000 : 3000))
                     : Outcome{};
  }

  asio::io_context context;
  net::Client http{context.get_executor()};
  Notebook notes{[] { return Timestamp{1'772'447'400'000'000}; }};
  std::unique_ptr<Provider> provider;
  std::string said;  // logs and reasons
  milliseconds took{};
};

// Whether it has a batch form: how long messages wait for others is set, by that name.
bool may_gather(const ConnectorType& type) {
  return std::any_of(type.settings.begin(), type.settings.end(),
                     [](const Setting& setting) { return setting.name == "gather_within"; });
}

// What a connector declares of itself (channel::Repeat) is tried where it declares it.
class RecognisesAKey : public Conformance {};
class CanBeAsked : public Conformance {};
class Receives : public Conformance {};
class Gathers : public Conformance {};

TEST_P(Conformance, WhatTheProviderTookIsDoneAndTheKeyWasPassedOn) {
  EXPECT_EQ(came(attempt_when(Act::Accept, 1)), "done");
  const auto accepted = provider->accepted();
  ASSERT_EQ(accepted.size(), 1u);
  if (!provider->takes_keys()) return;
  EXPECT_GE(accepted[0].size(), 8u);
  EXPECT_THAT(to_hex(delivery(1).key), testing::StartsWith(accepted[0]));
}

TEST_P(Conformance, WhatTheProviderWillNotTakeIsRefusedWithItsClass) {
  if (!plays(Act::Refuse)) GTEST_SKIP() << "its provider refuses nothing";
  const Outcome outcome = attempt_when(Act::Refuse, 1);
  const auto* const refused = std::get_if<Refused>(&outcome);
  ASSERT_TRUE(refused) << to_string(outcome);
  EXPECT_NE(refused->failure, Failure::None);
  EXPECT_FALSE(refused->why.empty());
  EXPECT_EQ(provider->accepted().size(), 0u);
}

TEST_P(Conformance, EachClassOfRefusalIsHeardAsThatClass) {
  const auto refusals = provider->refusals();
  EXPECT_EQ(refusals.empty(), !plays(Act::Refuse)) << "who refuses is to say why else he does";
  for (const Failure failure : refusals) {
    provider->next(Act::Accept);
    provider->refuse_next(failure);
    const auto connector = open();
    ASSERT_TRUE(connector);
    const Outcome outcome = attempt(*connector, 30 + std::uint64_t(failure));
    const auto* const refused = std::get_if<Refused>(&outcome);
    ASSERT_TRUE(refused) << name_of(failure) << ": " << to_string(outcome);
    EXPECT_EQ(refused->failure, failure);
    EXPECT_FALSE(refused->why.empty());
  }
  EXPECT_EQ(provider->accepted().size(), 0u);
  for (const std::string& text : provider->secrets()) EXPECT_THAT(said, Not(HasSubstr(text)));
}

TEST_P(Conformance, WhatTheProviderDidNotTakeNowIsDeferred) {
  for (const Act act : {Act::Busy, Act::Unreachable, Act::Deaf}) {
    if (!plays(act)) continue;
    const Outcome outcome = attempt_when(act, 1);
    const auto* const deferred = std::get_if<Deferred>(&outcome);
    ASSERT_TRUE(deferred) << to_string(outcome);
    if (act == Act::Busy && provider->busy_for()) {
      EXPECT_EQ(deferred->wait, provider->busy_for());
    }
    EXPECT_EQ(provider->accepted().size(), 0u);
  }
}

TEST_P(Conformance, WhatMayHaveBeenTakenIsUnknown) {
  for (const Act act : {Act::Silent, Act::HangUp, Act::Nonsense, Act::Slow, Act::Broken}) {
    if (!plays(act)) continue;
    const std::size_t before = provider->accepted().size();
    const Outcome outcome = attempt_when(act, 1);
    EXPECT_TRUE(std::holds_alternative<Unknown>(outcome)) << to_string(outcome);
    if (act == Act::Slow || act == Act::Broken) {
      EXPECT_EQ(provider->accepted().size(), before + 1);
    }
  }
}

// --- The batch form

TEST_P(Gathers, LikeMessagesInOneRequestAndEachHasItsOutcome) {
  ASSERT_FALSE(provider->settings_to_gather().empty()) << "its provider must say with what";
  const auto all_are = [&](Act act, auto is) {
    if (!plays(act)) return;
    const auto outcomes = together_when(act);
    EXPECT_EQ(outcomes.size(), 3u) << int(act);
    for (const Outcome& each : outcomes) EXPECT_TRUE(is(each)) << int(act) << to_string(each);
  };
  all_are(Act::Accept, [](const Outcome& each) { return came(each) == "done"; });
  EXPECT_EQ(provider->accepted().size(), 1u);
  const auto is_deferred = [](const Outcome& each) {
    return std::holds_alternative<Deferred>(each);
  };
  all_are(Act::Busy, is_deferred);
  all_are(Act::Unreachable, is_deferred);
  // It may be because of one of them, whom it does not name.
  all_are(Act::Refuse, [&](const Outcome& each) {
    return is_deferred(each) || std::holds_alternative<Refused>(each);
  });
  EXPECT_EQ(provider->accepted().size(), 1u);
  for (const Act act : {Act::Silent, Act::HangUp, Act::Nonsense, Act::Slow, Act::Broken})
    all_are(act, [](const Outcome& each) { return std::holds_alternative<Unknown>(each); });
  EXPECT_THAT(said, Not(HasSubstr("private-")));
}

TEST_P(Conformance, ItGathersNothingWithoutASettingForHowLong) {
  const auto connector = open();
  ASSERT_TRUE(connector);
  EXPECT_TRUE(connector->together().most <= 1 || may_gather(*GetParam().type));
}

TEST_P(RecognisesAKey, AgainWithOneEffect) {
  provider->next(Act::Accept);
  for (int opened = 0; opened < 2; ++opened) {
    const auto connector = open();
    ASSERT_TRUE(connector);
    for (int i = 0; i < 2; ++i) EXPECT_EQ(came(attempt(*connector, 1)), "done");
    EXPECT_EQ(came(attempt(*connector, std::uint64_t(2 + opened))), "done");
  }
  for (const std::uint64_t number : {1, 2, 3})
    EXPECT_EQ(provider->effects(to_hex(delivery(number).key)), 1u);
}

TEST_P(CanBeAsked, AndThenKnows) {
  ASSERT_EQ(came(attempt_when(Act::Accept, 1)), "done");
  for (int opened = 0; opened < 2; ++opened) {
    const auto connector = open();
    ASSERT_TRUE(connector);
    EXPECT_EQ(came(run(connector->ask(delivery(1).key))), "done");
    EXPECT_THAT(to_string(run(connector->ask(delivery(2).key))), testing::StartsWith("deferred"));
  }
  for (const Act act : {Act::Silent, Act::HangUp}) {
    if (!plays(act)) continue;
    attempt_when(act, 3);
    provider->next(Act::Accept);
    const auto connector = open();
    EXPECT_EQ(came(run(connector->ask(delivery(3).key))), "done");
  }
}

TEST_P(Conformance, ATokenThatExpiresInMidFlightIsReplaced) {
  if (!plays(Act::Expired)) GTEST_SKIP() << "its provider lends no tokens";
  provider->next(Act::Accept);
  const auto connector = open();
  ASSERT_TRUE(connector);
  EXPECT_EQ(came(attempt(*connector, 1)), "done");
  provider->next(Act::Expired);
  EXPECT_EQ(came(attempt(*connector, 2)), "done");
  EXPECT_EQ(provider->accepted().size(), 2u);
}

TEST_P(Conformance, AfterTroubleItGoesOnAndNothingPrivateIsInLogsAndReasons) {
  provider->next(Act::Accept);
  for (const Act act : provider->acts()) {
    if (act == Act::Accept) continue;
    attempt_when(act, 10 + std::uint64_t(act));
    EXPECT_EQ(came(attempt_when(Act::Accept, 100 + std::uint64_t(act))), "done");
  }
  for (const std::string& secret : provider->secrets()) {
    ASSERT_FALSE(secret.empty());
    EXPECT_THAT(said, Not(HasSubstr(secret)));
  }
  for (const std::string& text :
       {std::string("customer-ann"), provider->person().value, std::string("private-")})
    EXPECT_THAT(said, Not(HasSubstr(text)));
}

TEST_P(Conformance, CancellingIsPrompt) {
  if (!plays(Act::Silent)) GTEST_SKIP() << "its provider always answers";
  provider->next(Act::Silent);
  const auto connector = open(true);
  ASSERT_TRUE(connector);
  const Outcome outcome = attempt(*connector, 1, milliseconds(100));
  EXPECT_LT(took, milliseconds(4000));
  EXPECT_FALSE(std::holds_alternative<Done>(outcome));
  EXPECT_FALSE(std::holds_alternative<Refused>(outcome));
}

TEST_P(Conformance, ItEndsInMidFlight) {
  if (!plays(Act::Silent)) GTEST_SKIP() << "its provider always answers";
  provider->next(Act::Silent);
  auto connector = open(true);
  ASSERT_TRUE(connector);
  const std::size_t count = std::min<std::size_t>(GetParam().type->capabilities.at_once, 8);
  std::vector<asio::cancellation_signal> cancel(count);
  std::size_t left = count;
  for (std::size_t i = 0; i < count; ++i)
    asio::co_spawn(context, connector->deliver(delivery(i, provider->person())),
                   asio::bind_cancellation_slot(cancel[i].slot(), [&](std::exception_ptr, Outcome) {
                     if (--left == 0) context.stop();
                   }));
  context.restart();
  context.run_for(milliseconds(150));
  const auto begin = std::chrono::steady_clock::now();
  for (auto& one : cancel) one.emit(asio::cancellation_type::terminal);
  context.restart();
  context.run_for(milliseconds(3000));
  EXPECT_EQ(left, 0u);
  connector.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, milliseconds(8000));
}

TEST_P(Conformance, ManyRunAtTheSameTime) {
  provider->next(Act::Accept);
  const auto connector = open();
  ASSERT_TRUE(connector);
  const std::size_t count = std::min<std::size_t>(GetParam().type->capabilities.at_once, 64);
  std::vector<Outcome> outcomes(count);
  std::size_t left = count;
  for (std::size_t i = 0; i < count; ++i)
    asio::co_spawn(context, connector->deliver(delivery(1000 + i, provider->person())),
                   [&, i](std::exception_ptr thrown, Outcome got) {
                     EXPECT_FALSE(thrown);
                     outcomes[i] = std::move(got);
                     if (--left == 0) context.stop();
                   });
  context.restart();
  context.run_for(milliseconds(30'000));
  for (const Outcome& outcome : outcomes) EXPECT_EQ(came(outcome), "done");
  EXPECT_EQ(provider->accepted().size(), count);
}

TEST_P(Receives, NothingFromWhoeverIsNotTheProvider) {
  provider->next(Act::Accept);
  const auto connector = open();
  ASSERT_TRUE(connector);
  for (const char* const method : {"GET", "POST", "PUT"})
    for (const char* const query : {"", "token=&signature=&msg_signature=&timestamp=1&nonce=1"})
      for (const char* const body :
           {"", "{}", "[]", "<xml><FromUserName>o</FromUserName><MsgType>event</MsgType></xml>"}) {
        const Received received =
            wait_for(context, connector->receive({method, "/", query, {}, body}));
        EXPECT_GE(received.answer.status, 400) << method << " " << query << " " << body;
        EXPECT_TRUE(received.events.empty() && received.reports.empty());
      }
}

TEST_P(Conformance, ContentsGoByTheFormsThatItDeclaresAndWithinTheirLimits) {
  provider->next(Act::Accept);
  const ConnectorType& type = *GetParam().type;
  const auto limits = Limits::of(type, provider->settings());
  ASSERT_TRUE(limits) << limits.error().what;
  const auto is_declared = [&](const Form* form) {
    return type.capabilities.forms.empty() ||
           std::any_of(type.capabilities.forms.begin(), type.capabilities.forms.end(),
                       [&](const Form& each) { return &each == form; });
  };
  for (const char* const content : {"greeting", "of which nobody knows"})
    for (const bool is_answer : {false, true})
      EXPECT_TRUE(is_declared(limits->going(content, is_answer).form));
  Delivery sent = delivery(1, provider->person());
  const Format format = limits->going(sent).form->format;
  if (format != Format::Payment && format != Format::Data) sent.payout.reset();
  EXPECT_EQ(limits->refusal(sent), "");
  for (const Form& form : type.capabilities.forms)
    for (const Length& length : form.lengths)
      EXPECT_TRUE(length.most > 0 || !length.most_is.empty());
  EXPECT_TRUE(type.capabilities.zone.empty() || find_zone(type.capabilities.zone));
}

TEST_P(Conformance, ItsSettingsSayWhatTheyAreFor) {
  const ConnectorType& type = *GetParam().type;
  EXPECT_FALSE(type.summary.empty());
  EXPECT_GE(type.capabilities.at_once, 1u);
  for (const Setting& setting : type.settings) {
    EXPECT_TRUE(setting.help.ends_with('.')) << setting.name;
    EXPECT_THAT(std::string(setting.name), testing::MatchesRegex("[a-z][a-z_0-9]*"));
  }
}

TEST_P(Conformance, AMissingSettingIsNamed) {
  for (const Setting& setting : GetParam().type->settings) {
    if (setting.optional || !setting.otherwise.empty()) continue;
    Given given = provider->settings();
    given.erase(given.find(setting.name));
    const auto read = Settings::read(GetParam().type->settings, given);
    ASSERT_FALSE(read);
    EXPECT_THAT(read.error().what, HasSubstr("`" + std::string(setting.name) + "` is missing"));
  }
}

TEST_P(Conformance, ItsPageHoldsTheTableOfItsSettings) {
  const std::string path =
      KOI_CONNECTORS_FOLDER "/" + std::string(GetParam().type->name) + "/README.md";
  std::ifstream file(path);
  std::stringstream page;
  page << file.rdbuf();
  EXPECT_THAT(page.str(), HasSubstr(settings_table(GetParam().type->settings))) << path;
  EXPECT_THAT(page.str(),
              HasSubstr("After an attempt whose outcome is unknown: **" +
                        std::string(name_of(GetParam().type->capabilities.repeat)) + "**"))
      << path;
}

template <class Is>
std::vector<Tried> tried_where(Is is) {
  std::vector<Tried> some = tried();
  std::erase_if(some, [&](const Tried& each) { return !is(*each.type); });
  return some;
}
std::vector<Tried> tried_that(Repeat repeat) {
  return tried_where([&](const ConnectorType& type) { return type.capabilities.repeat == repeat; });
}
std::string name_of_type(const testing::TestParamInfo<Tried>& tried) {
  return std::string(tried.param.type->name);
}
INSTANTIATE_TEST_SUITE_P(EveryConnector, Conformance, testing::ValuesIn(tried()), name_of_type);
INSTANTIATE_TEST_SUITE_P(EveryConnector, RecognisesAKey,
                         testing::ValuesIn(tried_that(Repeat::Recognised)), name_of_type);
INSTANTIATE_TEST_SUITE_P(EveryConnector, CanBeAsked,
                         testing::ValuesIn(tried_that(Repeat::CanBeAsked)), name_of_type);
INSTANTIATE_TEST_SUITE_P(EveryConnector, Receives,
                         testing::ValuesIn(tried_where([](const ConnectorType& type) {
                           return type.capabilities.receives;
                         })),
                         name_of_type);
INSTANTIATE_TEST_SUITE_P(EveryConnector, Gathers, testing::ValuesIn(tried_where(may_gather)),
                         name_of_type);

TEST(Connectors, AreFoundByTheirNames) {
  for (const ConnectorType* const type : all()) EXPECT_EQ(find(all(), type->name), type);
  EXPECT_EQ(find(all(), "carrier-pigeon"), nullptr);
  EXPECT_EQ(all().size(), tried().size());
}

}  // namespace
}  // namespace koi::connectors
