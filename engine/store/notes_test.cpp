#include "store/notes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>

#include "base/scratch.h"

namespace koi::store {
namespace {

using testing::ElementsAre;

const Timestamp noon = *parse_instant("2026-03-02T12:00:00Z");

Note note(const char* name, std::string text, Timestamp until = noon + days(1)) {
  return {"sms", name, std::move(text), until};
}

class NotesTest : public testing::Test {
 protected:
  std::unique_ptr<Notes> open(Timestamp now = noon) {
    directory_.reset();
    directory_ = std::make_unique<Directory>(*Directory::open(folder_.path()));
    auto notes = Notes::open(*directory_, now);
    EXPECT_TRUE(notes) << notes.error().what;
    return *std::move(notes);
  }
  static void put(Notes& notes, Note what) {
    std::promise<Result<void>> done;
    notes.put(std::move(what), [&](Result<void> written) { done.set_value(std::move(written)); });
    const Result<void> written = done.get_future().get();
    EXPECT_TRUE(written) << written.error().what;
  }

 private:
  Scratch folder_;
  std::unique_ptr<Directory> directory_;
};

TEST_F(NotesTest, AreThereAgainAfterAStartEachUnderItsChannel) {
  auto notes = open();
  const std::string bytes{"a\0b\n\xff", 5};
  put(*notes, note("7", bytes));
  put(*notes, note("8", ""));
  put(*notes, {"mail", "7", "of another channel", noon + days(1)});
  notes.reset();
  notes = open();
  EXPECT_THAT(*notes->of("sms"), ElementsAre(note("7", bytes), note("8", "")));
  EXPECT_THAT(*notes->of("mail"),
              ElementsAre(Note{"mail", "7", "of another channel", noon + days(1)}));
  EXPECT_TRUE(notes->of("push")->empty());
}

TEST_F(NotesTest, TheLastOfANameCountsAndOneThatIsToBeForgottenIs) {
  auto notes = open();
  put(*notes, note("7", "first"));
  put(*notes, note("7", "second"));
  put(*notes, note("8", "gone"));
  put(*notes, note("8", "", Timestamp::ever()));
  notes.reset();
  EXPECT_THAT(*open()->of("sms"), ElementsAre(note("7", "second")));
}

TEST_F(NotesTest, WhatIsOverIsDroppedAtTheNextStart) {
  auto notes = open();
  put(*notes, note("7", "short", noon + hours(1)));
  put(*notes, note("8", "long", noon + days(2)));
  notes.reset();
  EXPECT_THAT(*open(noon + hours(1))->of("sms"), ElementsAre(note("8", "long", noon + days(2))));
}

TEST_F(NotesTest, WhatWasPutIsWrittenBeforeTheEndAndEachIsToldOnce) {
  auto notes = open();
  std::atomic<int> told = 0;
  for (int i = 0; i < 500; ++i)
    notes->put(note(std::to_string(1000 + i).c_str(), std::to_string(i)),
               [&](const Result<void>& written) { told += written ? 1 : 1000; });
  notes->settle();
  EXPECT_EQ(told, 500);
  for (int i = 0; i < 500; ++i)
    notes->put(note(std::to_string(2000 + i).c_str(), std::to_string(i)),
               [&](const Result<void>& written) { told += written ? 1 : 1000; });
  notes.reset();
  EXPECT_EQ(told, 1000);
  EXPECT_EQ(open()->of("sms")->size(), 1000u);
}

}  // namespace
}  // namespace koi::store
