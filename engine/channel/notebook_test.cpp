#include "channel/notebook.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>
#include <thread>

#include "channel/sent_to.h"

namespace koi::channel {
namespace {

using testing::ElementsAre;

class NotebookTest : public testing::Test {
 protected:
  // True: it was kept; false: why not was said.
  bool keep(std::string name, std::string text, Duration lasts = hours(1)) {
    Note note{std::move(name), std::move(text), now + lasts};
    std::optional<bool> kept;
    asio::co_spawn(context, notebook.keep(std::move(note)),
                   [&](std::exception_ptr thrown, const Result<void>& done) {
                     EXPECT_FALSE(thrown);
                     kept = done.operator bool();
                   });
    context.restart();
    context.run();
    EXPECT_TRUE(kept);
    return kept.value_or(false);
  }
  asio::io_context context;
  Timestamp now = *parse_instant("2026-03-02T12:00:00Z");
  Notebook notebook{[this] { return now; }};
};

TEST_F(NotebookTest, ANoteIsFoundByItsNameUntilItIsOver) {
  EXPECT_TRUE(keep("7", "ann", hours(1)));
  EXPECT_TRUE(keep("8", "bob", hours(3)));
  EXPECT_TRUE(keep("7", "ann again", hours(2)));
  ASSERT_TRUE(notebook.find("7"));
  EXPECT_EQ(*notebook.find("7"), "ann again");
  EXPECT_FALSE(notebook.find("9"));
  EXPECT_EQ(notebook.all().size(), 2u);
  now = now + hours(2);
  EXPECT_FALSE(notebook.find("7"));
  ASSERT_EQ(notebook.all().size(), 1u);
  EXPECT_EQ(notebook.all()[0].text, "bob");
  notebook.forget("8");
  EXPECT_TRUE(notebook.all().empty());
}

TEST_F(NotebookTest, BeyondItsRoomWhatIsOverFirstGoesFirst) {
  const std::string large(Notebook::most_bytes / 4, 'x');
  for (int i = 0; i < 4; ++i) keep(std::to_string(i), large, hours(10 - i));
  EXPECT_FALSE(notebook.find("3"));
  for (const char* name : {"0", "1", "2"}) EXPECT_TRUE(notebook.find(name)) << name;
}

TEST_F(NotebookTest, KeepingReturnsWhenTheNoteIsDurableAndItIsFoundBefore) {
  std::function<void(Result<void>)> then;
  notebook.keep_with([&](Note note, std::function<void(Result<void>)> when_done) {
    EXPECT_EQ(note.name, "7");
    then = std::move(when_done);
  });
  bool returned = false;
  Note note{"7", "ann", now + hours(1)};
  asio::co_spawn(context, notebook.keep(std::move(note)),
                 [&](std::exception_ptr, const Result<void>& kept) {
                   EXPECT_TRUE(kept);
                   returned = true;
                 });
  context.poll();
  ASSERT_TRUE(then);
  EXPECT_TRUE(notebook.find("7")) << "a report may come before the disk is done";
  EXPECT_FALSE(returned);
  std::thread([&] { then({}); }).join();
  context.restart();
  context.run();
  EXPECT_TRUE(returned);
}

TEST_F(NotebookTest, WhatCouldNotBeKeptIsSaidAndFoundInThisLife) {
  notebook.keep_with([](const Note&, const std::function<void(Result<void>)>& then) {
    then(Error{"full", "there is no room left"});
  });
  EXPECT_FALSE(keep("7", "ann"));
  EXPECT_TRUE(notebook.find("7"));
  std::string said;
  Tools tools{context.get_executor(), nullptr, [this] { return now; },
              [&](Level, std::string_view line) { said += line; }, &notebook};
  const SentTo sent{{"13800138000", {1, 2}}};
  asio::co_spawn(context, note_sent(tools, "9006^0", sent, now + hours(1)),
                 [](std::exception_ptr thrown) { EXPECT_FALSE(thrown); });
  context.restart();
  context.run();
  EXPECT_EQ(said,
            "which deliveries message 9006^0 was will not be known after a restart: there is no "
            "room left");
}

TEST(SentTo, IsReadAsItWasWrittenAndWhatIsNoneIsLeftOut) {
  const SentTo sent{{"13800138000", {1, 2}}, {"", {3, 4}}, {"wm:a b", {~0ull, 0}}};
  EXPECT_EQ(read_sent_to(to_string(sent)), sent);
  EXPECT_TRUE(read_sent_to("").empty());
  EXPECT_TRUE(read_sent_to("\n\nno key at all, but long enough to be one\nabc\n").empty());
  EXPECT_THAT(read_sent_to(to_string(sent).substr(0, 50)), ElementsAre(sent[0]));
}

}  // namespace
}  // namespace koi::channel
