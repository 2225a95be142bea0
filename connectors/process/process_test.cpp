#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "base/scratch.h"
#include "channel/connector.h"
#include "channel/provider.h"
#include "process/answer.h"
#include "wait_for.h"

namespace koi::connectors {
const channel::ConnectorType& process();
namespace {

using namespace channel;
using std::chrono::milliseconds;
using testing::HasSubstr;

class Folder {
 public:
  std::string operator/(const std::string& name) const { return (scratch_ / name).string(); }
  std::string path() const { return scratch_.path().string(); }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(*this / name) << text;
  }
  std::string read(const std::string& name) const {
    std::ifstream file(*this / name);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
  }

 private:
  Scratch scratch_;
};

class PretendProgram final : public Provider {
 public:
  PretendProgram() {
    signal(SIGPIPE, SIG_IGN);  // as koi does: a program that is gone is an error of a write
    next(Act::Accept);
  }
  std::vector<Act> acts() const override {
    return {Act::Accept,   Act::Refuse, Act::Busy,   Act::Silent,     Act::HangUp,
            Act::Nonsense, Act::Slow,   Act::Broken, Act::Unreachable};
  }
  Given settings() const override {
    const std::string command = std::string("exec python3 " KOI_CONNECTORS_FOLDER) +
                                "/process/pretend.py " + folder_.path();
    return {{"command", reachable_ ? command : "exit 7"},
            {"answer_within", soon_over_ ? "2500ms" : "20s"},
            {"stop_within", "300ms"},
            {"receives", true}};
  }
  void next(Act act) override {
    reachable_ = act != Act::Unreachable;
    soon_over_ = act == Act::Silent || act == Act::Slow;
    folder_.write("act", act == Act::Refuse     ? "refuse"
                         : act == Act::Busy     ? "busy"
                         : act == Act::Silent   ? "silent"
                         : act == Act::HangUp   ? "hang up"
                         : act == Act::Nonsense ? "nonsense"
                         : act == Act::Slow     ? "slow"
                         : act == Act::Broken   ? "broken"
                                                : "accept");
  }
  std::vector<Failure> refusals() const override {
    return {Failure::Unreachable, Failure::WindowClosed, Failure::BadContent, Failure::Quota,
            Failure::Credentials};
  }
  void refuse_next(Failure failure) override {
    folder_.write("act", "refuse " + std::string(name_of(failure)));
  }
  std::optional<Duration> busy_for() const override { return seconds(7); }
  std::vector<std::string> accepted() const override {
    std::istringstream lines(folder_.read("taken"));
    return {std::istream_iterator<std::string>(lines), {}};
  }
  std::size_t effects(const std::string& key) const override {
    const auto keys = accepted();
    return static_cast<std::size_t>(std::count(keys.begin(), keys.end(), key));
  }

 private:
  Folder folder_;
  bool reachable_ = true, soon_over_ = false;
};

constexpr Timestamp now{1'772'447'400'000'000};  // 2026-03-02T10:30:00Z

class ProcessTest : public ::testing::Test {
 protected:
  ProcessTest() { signal(SIGPIPE, SIG_IGN); }
  std::unique_ptr<Connector> open(std::string command, std::string within = "20s",
                                  const Given& more = {}) {
    Given given{{"command", std::move(command)},
                {"folder", folder.path()},
                {"answer_within", std::move(within)}};
    given.insert(more.begin(), more.end());
    const auto settings = Settings::read(process().settings, given);
    EXPECT_TRUE(settings);
    Tools tools{context.get_executor(), nullptr, [] { return now; },
                [this](Level, std::string_view line) { log.append(line).append("\n"); }};
    return *process().open(*settings, std::move(tools));
  }
  void start(Connector& connector, std::uint64_t number, std::string body = "hello") {
    Delivery delivery;
    delivery.key = {0, number};
    delivery.body = std::move(body);
    ++under_way;
    outcomes.resize(std::max<std::size_t>(outcomes.size(), number + 1));
    asio::co_spawn(context, connector.deliver(std::move(delivery)),
                   [this, number](std::exception_ptr, Outcome got) {
                     outcomes[number] = std::move(got);
                     if (--under_way == 0) context.stop();
                   });
  }
  void wait() {
    context.restart();
    context.run_for(std::chrono::seconds(40));
    EXPECT_EQ(under_way, 0u);
  }
  std::string deliver(Connector& connector, std::uint64_t number) {
    start(connector, number);
    wait();
    return to_string(outcomes[number]);
  }

  asio::io_context context;
  Folder folder;
  std::string log;
  std::vector<Outcome> outcomes;
  std::size_t under_way = 0;
};

TEST_F(ProcessTest, TheProgramGetsTheDeliveryAsALine) {
  folder.write("program",
               "read -r line; printf '%s\\n' \"$line\" > heard; echo "
               "'{\"id\":1,\"outcome\":\"done\"}'; cat");
  const auto connector = open("sh ./program");
  start(*connector, 1, "two\nlines \"and\" 你好");
  wait();
  EXPECT_EQ(to_string(outcomes[1]), "done");
  EXPECT_EQ(folder.read("heard"),
            R"({"do":"deliver","id":1,"delivery":{"key":"00000000000000000000000000000001",)"
            R"("channel":"","campaign":"","content":"","customer":"","to":{},)"
            R"("body":"two\nlines \"and\" 你好"}})"
            "\n");
}

TEST_F(ProcessTest, WhatAProgramDidNotReadBeforeItEndedIsTriedAgainAndWhatItReadIsUnknown) {
  folder.write("program", "read line; sleep 0.2; exit 3");  // sh reads byte by byte
  const auto connector = open("sh ./program");
  start(*connector, 1);
  start(*connector, 2);
  wait();
  EXPECT_EQ(to_string(outcomes[1]), "unknown: the program ended without an answer");
  EXPECT_EQ(to_string(outcomes[2]), "deferred: the program ended before it read what it was asked");
  EXPECT_EQ(log, "the program ended with status 3; it is started again in 1 second\n");
  EXPECT_THAT(deliver(*connector, 3), testing::StartsWith("deferred for 0."));
}

TEST_F(ProcessTest, AProgramThatDiedIsStartedAgain) {
  folder.write("program",
               "if [ -e died ]; then read l; echo '{\"id\":2,\"outcome\":\"done\"}'; cat; fi;"
               "touch died; read l; kill -9 $$");
  const auto connector = open("exec sh ./program");
  EXPECT_THAT(deliver(*connector, 1), HasSubstr("unknown"));
  EXPECT_EQ(log, "the program was ended by a signal; it is started again in 1 second\n");
  std::this_thread::sleep_for(milliseconds(1050));
  EXPECT_EQ(deliver(*connector, 2), "done");
}

TEST_F(ProcessTest, WhatItSaidBeforeItEndedCounts) {
  folder.write("program",
               "read a; read b; echo '{\"id\":1,\"outcome\":\"done\"}';"
               "echo '{\"id\":2,\"outcome\":\"refused\",\"failure\":\"bad_content\"}'");
  const auto connector = open("sh ./program");
  start(*connector, 1);
  start(*connector, 2);
  wait();
  EXPECT_EQ(to_string(outcomes[1]), "done");
  EXPECT_EQ(to_string(outcomes[2]), "refused (bad_content)");
}

TEST_F(ProcessTest, AProgramThatDoesNotReadHoldsBackWhatIsNotWrittenYet) {
  const auto connector = open("sleep 60", "300ms");
  for (std::uint64_t i = 0; i < 5; ++i) start(*connector, i, std::string(40'000, 'x'));
  wait();
  EXPECT_THAT(to_string(outcomes[0]), HasSubstr("unknown"));
  EXPECT_EQ(to_string(outcomes[4]), "deferred: the program does not read what it is asked");
}

TEST_F(ProcessTest, ALineThatIsNoAnswerEndsTheProgram) {
  for (const char* const line : {"hello", "{\"id\":1}", "[]", "{\"id\":1,\"outcome\":\"fine\"}"}) {
    folder.write("program", std::string("read l; echo '") + line + "'; sleep 60");
    const auto connector = open("sh ./program");
    log.clear();
    EXPECT_THAT(deliver(*connector, 1), HasSubstr("unknown")) << line;
    EXPECT_THAT(log, HasSubstr("wrote a line that is no answer")) << line;
  }
  const auto connector = open("read l; head -c 1000000 /dev/zero; sleep 60");
  EXPECT_THAT(deliver(*connector, 1), HasSubstr("unknown"));
}

TEST_F(ProcessTest, WithTheConnectorThereGoesTheProgramAndWhatItStarted) {
  folder.write("program",
               "trap '' TERM; sleep 60 & echo $! > child; read l;"
               "echo '{\"id\":1,\"outcome\":\"done\"}'; while true; do sleep 1; done");
  auto connector = open("sh ./program");
  EXPECT_EQ(deliver(*connector, 1), "done");
  const pid_t child = std::stoi(folder.read("child"));
  EXPECT_EQ(kill(child, 0), 0);
  const auto begin = std::chrono::steady_clock::now();
  connector.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(10));
  for (int i = 0; i < 100 && kill(child, 0) == 0; ++i)
    std::this_thread::sleep_for(milliseconds(20));
  // It is nobody's child here: a zombie that init has not taken yet counts as gone.
  std::ifstream status("/proc/" + std::to_string(child) + "/stat");
  std::string number, name, state = "gone";
  status >> number >> name >> state;
  EXPECT_THAT(state, testing::AnyOf("gone", "Z"));
}

TEST_F(ProcessTest, AProgramIsGivenTimeToEndByItself) {
  folder.write("program", "read l; echo '{\"id\":1,\"outcome\":\"done\"}'; cat; touch ended");
  auto connector = open("sh ./program");
  EXPECT_EQ(deliver(*connector, 1), "done");
  connector.reset();
  EXPECT_TRUE(std::filesystem::exists(folder / "ended"));
}

// --- What comes to the callback address

TEST_F(ProcessTest, TheProgramGetsTheCallbackAsALineAndSaysWhatItTells) {
  folder.write("program",
               "read -r line; printf '%s\\n' \"$line\" > heard; cat answer; read -r line; "
               "printf '%s\\n' \"$line\" > heard; echo '{\"id\":2,\"events\":[]}'; cat");
  folder.write("answer",
               R"({"id":1,"answer":{"status":202,"body":"thanks","content_type":"text/x"},)"
               R"("events":[{"id":"g:1","type":"replied","time":"2026-03-02T10:29:00Z",)"
               R"("person":"+8613800138000","data":{"text":"好"}},)"
               R"({"id":"g:2","type":"unsubscribed","person":"+8613800138001"}],)"
               R"("reports":[{"key":"00000000000000ab00000000000000cd"},)"
               R"({"key":"00000000000000ab00000000000000ce","failure":"unreachable"}]})"
               "\n");
  const auto connector = open("sh ./program", "20s", {{"receives", true}});
  const net::Asked asked{
      "POST", "/v1/callbacks/x", "a=%20&b", {{"X-One", "1"}, {"x-one", "2"}}, "you\n\"and\" 我"};
  const Received received = wait_for(context, connector->receive(asked));
  EXPECT_EQ(folder.read("heard"),
            R"({"do":"receive","id":1,"request":{"method":"POST","query":"a=%20&b",)"
            R"("headers":{"x-one":"1, 2"},"body":"you\n\"and\" 我"}})"
            "\n");
  EXPECT_EQ(received.answer.status, 202);
  EXPECT_EQ(received.answer.body, "thanks");
  EXPECT_EQ(received.answer.content_type, "text/x");
  ASSERT_EQ(received.events.size(), 2u);
  EXPECT_EQ(received.events[0].id, "g:1");
  EXPECT_EQ(received.events[0].type, "replied");
  EXPECT_EQ(received.events[0].time, *parse_instant("2026-03-02T10:29:00Z"));
  EXPECT_EQ(received.events[0].person, "+8613800138000");
  EXPECT_THAT(received.events[0].fields, testing::ElementsAre(testing::Pair("text", "好")));
  EXPECT_EQ(received.events[1].time, now);
  ASSERT_EQ(received.reports.size(), 2u);
  EXPECT_EQ(received.reports[0].key, (Hash128{0xab, 0xcd}));
  EXPECT_EQ(received.reports[0].failure, Failure::None);
  EXPECT_EQ(received.reports[1].failure, Failure::Unreachable);

  const net::Asked bytes{"PUT", "/", "", {}, "\xff\x01"};
  EXPECT_EQ(wait_for(context, connector->receive(bytes)).answer.status, 200);
  EXPECT_THAT(folder.read("heard"), HasSubstr(R"("body_base64":"/wE=")"));
}

TEST_F(ProcessTest, WhatCannotBeReadNowIsToBeSentAgain) {
  const net::Asked asked{"POST", "/", "", {}, "{}"};
  EXPECT_EQ(wait_for(context, open("cat")->receive(asked)).answer.status, 404);
  for (const char* const command :
       {"exit 7", "read l; sleep 60", "read l; echo '{\"id\":1,\"outcome\":\"done\"}'; cat"}) {
    const auto connector = open(command, "300ms", {{"receives", true}});
    const Received received = wait_for(context, connector->receive(asked));
    EXPECT_EQ(received.answer.status, 503) << command;
    EXPECT_TRUE(received.events.empty() && received.reports.empty());
  }
}

TEST_F(ProcessTest, ItIsAskedWhatThereIsToTellAndToldWhenThatIsKept) {
  folder.write("program",
               "read -r l; echo '{\"id\":1,\"reports\":[{\"key\":"
               "\"00000000000000ab00000000000000cd\"}]}'; read -r l; printf '%s\\n' \"$l\" > kept; "
               "read -r l; echo '{\"id\":2,\"outcome\":\"done\"}'; cat");
  const auto connector = open("sh ./program", "20s", {{"look_every", "1m"}});
  EXPECT_EQ(connector->look_every(), minutes(1));
  EXPECT_EQ(open("cat")->look_every(), Duration{});
  const Received received = wait_for(context, connector->look());
  EXPECT_EQ(received.reports.size(), 1u);
  ASSERT_TRUE(received.kept);
  received.kept();
  EXPECT_EQ(deliver(*connector, 2), "done");
  EXPECT_EQ(folder.read("kept"), "{\"do\":\"kept\",\"id\":1}\n");
}

TEST(ProgramAnswer, ThatTellsIsReadOrNone) {
  const auto read = [](const std::string& line) {
    const auto answer = answer_of(line, now);
    if (!answer) return std::string("none");
    const auto& received = std::get<Received>(answer->said);
    return std::to_string(received.answer.status) + " " + std::to_string(received.events.size()) +
           " " + std::to_string(received.reports.size());
  };
  EXPECT_EQ(read(R"({"id":1,"answer":{}})"), "200 0 0");
  EXPECT_EQ(read(R"({"id":1,"answer":{"status":503}})"), "503 0 0");
  EXPECT_EQ(read(R"({"id":1,"events":[{"id":"1","type":"a","person":"b","data":{}}]})"), "200 1 0");
  for (const char* const line :
       {R"({"id":1,"answer":7})", R"({"id":1,"answer":{"status":"200"}})",
        R"({"id":1,"answer":{"status":100}})", R"({"id":1,"answer":{"status":1e99}})",
        R"({"id":1,"answer":{"body":7}})", R"({"id":1,"answer":{"content_type":"a\r\nb: c"}})",
        R"({"id":1,"events":{}})", R"({"id":1,"events":[7]})", R"({"id":1,"events":[{}]})",
        R"({"id":1,"events":[{"id":"","type":"a","person":"b"}]})",
        R"({"id":1,"events":[{"id":"1","type":"a\n","person":"b"}]})",
        R"({"id":1,"events":[{"id":"1","type":"a","person":"b","time":"noon"}]})",
        R"({"id":1,"events":[{"id":"1","type":"a","person":"b","data":{"x":1}}]})",
        R"({"id":1,"reports":[{}]})", R"({"id":1,"reports":[{"key":"ab"}]})",
        R"({"id":1,"reports":[{"key":"00000000000000ab00000000000000cd","failure":"quota"}]})",
        R"({"id":1,"reports":[{"key":"00000000000000ab00000000000000cd","failure":7}]})"})
    EXPECT_EQ(read(line), "none") << line;
  EXPECT_EQ(read(R"({"id":1,"events":[{"id":")" + std::string(300, 'x') +
                 R"(","type":"a","person":"b"}]})"),
            "none");
}

TEST(ProgramAnswer, IsReadOrNone) {
  const auto read = [](const char* line) {
    const auto answer = answer_of(line, now);
    return answer ? std::to_string(answer->id) + " " + to_string(std::get<Outcome>(answer->said))
                  : "none";
  };
  EXPECT_EQ(read(R"({"id":7,"outcome":"done"})"), "7 done");
  EXPECT_EQ(read(R"({"id":7,"outcome":"unknown","why":"a\u0007b","more":[1]})"), "7 unknown: a b");
  EXPECT_EQ(read(R"({"id":7,"outcome":"refused","failure":"quota","why":"x"})"),
            "7 refused (quota): x");
  EXPECT_EQ(read(R"({"id":7,"outcome":"deferred"})"), "7 deferred");
  EXPECT_EQ(read(R"({"id":7,"outcome":"deferred","wait_ms":1500,"throttled":true})"),
            "7 deferred for 1.5 seconds");
  EXPECT_EQ(read(R"({"id":7,"outcome":"deferred","wait_ms":18446744073709551615})"),
            "7 deferred for 366 days");
  EXPECT_EQ(read(R"({"id":7,"outcome":"pending","within_ms":86400000,"why":"he must confirm"})"),
            "7 pending for 1 day: he must confirm");
  EXPECT_EQ(read(R"({"id":7,"outcome":"refused","failure":"lapsed"})"), "7 refused (lapsed)");
  EXPECT_TRUE(std::get<Deferred>(
                  std::get<Outcome>(
                      answer_of(R"({"id":7,"outcome":"deferred","of_person":true})", now)->said))
                  .of_person);
  for (const char* const line :
       {"", "{}", "null", "7", R"({"id":-1,"outcome":"done"})", R"({"id":"1","outcome":"done"})",
        R"({"id":1,"outcome":1})", R"({"id":1,"outcome":"refused"})",
        R"({"id":1,"outcome":"refused","failure":"none"})",
        R"({"id":1,"outcome":"refused","failure":"failed"})",
        R"({"id":1,"outcome":"deferred","wait_ms":-1})", R"({"id":1,"outcome":"pending"})",
        R"({"id":1,"outcome":"pending","within_ms":1,"ask_again_ms":"1"})",
        R"({"id":1,"outcome":"deferred","wait_ms":"1"})",
        R"({"id":1,"outcome":"deferred","throttled":1})", R"({"id":1,"outcome":"done","why":3})",
        "{\"id\":1,\"outcome\":\"done\"", "[[[[[["})
    EXPECT_EQ(read(line), "none") << line;
}

}  // namespace

std::unique_ptr<channel::Provider> process_provider() { return std::make_unique<PretendProgram>(); }

}  // namespace koi::connectors
