#include "channel/allowance.h"

#include <gtest/gtest.h>

#include <array>
#include <asio/io_context.hpp>
#include <map>
#include <optional>

namespace koi::channel {
namespace {

using Per = Amount::Per;
using Of = Amount::Of;

const Timestamp noon = *parse_instant("2026-03-02T12:00:00+08:00");
const Timestamp midnight = *parse_instant("2026-03-03T00:00:00+08:00");

class AllowanceTest : public ::testing::Test {
 protected:
  void open(std::span<const Amount> amounts, std::span<const Form> forms = {},
            Allowance::Said said = {}) {
    Capabilities capabilities;
    capabilities.amounts = amounts;
    capabilities.forms = forms;
    capabilities.zone = "Asia/Shanghai";
    allowance.emplace(capabilities, said,
                      Allowance::Ground{context.get_executor(), [this] { return now; }, &utc(),
                                        notes ? &*notes : nullptr});
  }
  // As the outbox does: asks until there is an answer that is not "in a moment".
  Allowance::Room room(const Form& form = {}, std::uint64_t wanted = 1) {
    for (int tries = 0; tries < 5; ++tries) {
      const auto room = allowance->room(form, wanted, now);
      const bool is_in_a_moment =
          room.messages == 0 && room.from - now < microseconds(100'000) && !room.is_of_day && notes;
      if (!is_in_a_moment) return room;
      context.restart();
      context.poll();
    }
    ADD_FAILURE() << "it is never kept";
    return {};
  }
  // How many go out one by one, until none may.
  std::uint64_t go(const Form& form = {}, std::uint64_t most = 1000) {
    std::uint64_t gone = 0;
    while (gone < most && room(form).messages > 0) {
      allowance->take(form, 1, now);
      ++gone;
    }
    return gone;
  }

  asio::io_context context;
  Timestamp now = noon;
  std::optional<Notebook> notes;
  std::optional<Allowance> allowance;
};

TEST_F(AllowanceTest, NothingDeclaredTakesAnything) {
  open({});
  EXPECT_EQ(room({}, 12'345).messages, 12'345u);
  EXPECT_EQ(go(), 1000u);
}

TEST_F(AllowanceTest, SoManyInAnySecondMinuteOrHour) {
  for (const auto& [per, span] :
       {std::pair(Per::Second, seconds(1)), std::pair(Per::Minute, minutes(1)),
        std::pair(Per::Hour, hours(1))}) {
    const std::array amounts{Amount{3, per, Of::Requests}};
    now = noon;
    open(amounts);
    EXPECT_EQ(go({}, 2), 2u);
    now = noon + microseconds(span.us / 2);
    EXPECT_EQ(go(), 1u);
    EXPECT_EQ(room().from, noon + span);
    EXPECT_FALSE(room().is_of_day);
    now = noon + span - microseconds(1);
    EXPECT_EQ(go(), 0u);
    now = noon + span;
    EXPECT_EQ(go(), 2u);
  }
}

TEST_F(AllowanceTest, RequestsAreCountedAsOneAndMessagesEach) {
  const std::array amounts{Amount{2, Per::Minute, Of::Requests},
                           Amount{150, Per::Hour, Of::Messages}};
  open(amounts);
  EXPECT_EQ(room({}, 100).messages, 100u);
  allowance->take({}, 100, now);
  EXPECT_EQ(room({}, 100).messages, 50u);
  allowance->take({}, 1, now);
  EXPECT_EQ(room({}, 100).messages, 0u);
  EXPECT_EQ(room().from, noon + minutes(1));
}

TEST_F(AllowanceTest, AFormHasItsOwnBesideThatOfAll) {
  const std::array all{Amount{3, Per::Hour, Of::Requests}};
  const std::array few{Amount{1, Per::Day, Of::Messages}};
  const std::array forms{Form{.name = "few", .amounts = few}, Form{.name = "other"}};
  open(all, forms);
  EXPECT_EQ(go(forms[0]), 1u);
  EXPECT_TRUE(room(forms[0]).is_of_day);
  EXPECT_EQ(go(forms[1]), 2u);
  EXPECT_FALSE(room(forms[1]).is_of_day);
}

TEST_F(AllowanceTest, ADayIsOneOfTheProvidersZone) {
  const std::array amounts{Amount{5, Per::Day, Of::Messages}};
  open(amounts);
  EXPECT_EQ(go(), 5u);
  EXPECT_TRUE(room().is_of_day);
  EXPECT_EQ(room().from, midnight);
  now = midnight - microseconds(1);
  EXPECT_EQ(go(), 0u);
  now = midnight;
  EXPECT_EQ(go(), 5u);
}

TEST_F(AllowanceTest, WhatAnOperatorSaysReplacesWhatIsDeclared) {
  const std::array amounts{Amount{1, Per::Second, Of::Requests}, Amount{2, Per::Day, Of::Messages}};
  open(amounts, {}, {.rate = true, .per_day = 7});
  EXPECT_EQ(go(), 7u);
  Capabilities capabilities;
  EXPECT_FALSE(Allowance::counts_days(capabilities, {}));
  EXPECT_TRUE(Allowance::counts_days(capabilities, {.per_day = 1}));
  capabilities.amounts = amounts;
  EXPECT_TRUE(Allowance::counts_days(capabilities, {}));
}

// What is kept outlives the process; what is found then is never less than what was used.
class Restarts : public AllowanceTest {
 protected:
  void begin() {
    context.restart();
    context.poll();  // what was still to be kept
    std::vector<Note> kept;
    for (const auto& [name, note] : disk) kept.push_back(note);
    notes.emplace([this] { return now; }, std::move(kept));
    notes->keep_with([this](const Note& note, const std::function<void(Result<void>)>& then) {
      if (fails) return then(Error{"full", "the disk is full"});
      disk.insert_or_assign(note.name, note);
      then({});
    });
  }
  std::map<std::string, Note> disk;
  bool fails = false;
};

TEST_F(Restarts, NeverGiveMoreThanTheDayHas) {
  for (const std::uint64_t most : {1u, 2u, 7u, 150u, 1000u, 2500u}) {
    const std::array amounts{Amount{most, Per::Day, Of::Messages}};
    disk.clear();
    now = noon;
    std::uint64_t gone = 0;
    const std::uint64_t a_life = most / 3 + 1;
    for (int life = 0; life < 6; ++life) {
      begin();
      open(amounts);
      gone += go({}, a_life);
    }
    EXPECT_LE(gone, most);
    EXPECT_GE(gone + 6 * std::max<std::uint64_t>(1, most / 100), most) << "of " << most;
    EXPECT_TRUE(room().is_of_day || gone < most);
    now = midnight;
    begin();
    open(amounts);
    EXPECT_EQ(go({}, 5000), most) << "a new day is a whole one";
  }
}

TEST_F(Restarts, ARequestWithManyIsKeptBeforeItGoesOut) {
  const std::array amounts{Amount{1000, Per::Day, Of::Messages}};
  begin();
  open(amounts);
  EXPECT_EQ(room({}, 600).messages, 600u);
  allowance->take({}, 600, now);
  begin();
  open(amounts);
  EXPECT_EQ(room({}, 600).messages, 400u);
}

TEST_F(Restarts, WhatCannotBeKeptIsUsedAllTheSame) {
  const std::array amounts{Amount{3, Per::Day, Of::Messages}};
  begin();
  fails = true;
  open(amounts);
  EXPECT_EQ(go(), 3u);
}

TEST_F(Restarts, ANoteThatSaysNothingIsNone) {
  const std::array amounts{Amount{3, Per::Day, Of::Messages}};
  for (const char* const text : {"", "x", "20514", "20514 x", "99999999999999999999 1"}) {
    disk.clear();
    disk.insert_or_assign("messages ", Note{"messages ", text, midnight});
    begin();
    open(amounts);
    EXPECT_EQ(go(), 3u) << text;
  }
}

}  // namespace
}  // namespace koi::channel
