#include "runtime/input.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

#include "runtime/test_plan.h"

namespace koi::runtime {
namespace {

using ::testing::ElementsAre;

class InputTest : public ::testing::Test {
 protected:
  InputTest() {
    folder_ = std::filesystem::temp_directory_path() / ("koi_input_" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder_);
  }
  ~InputTest() override { std::filesystem::remove_all(folder_); }

  std::string file(const std::string& name, const std::string& bytes) {
    const std::string path = folder_ / name;
    std::ofstream(path, std::ios::binary) << bytes;
    return path;
  }
  static std::string event(const std::string& id, const std::string& time) {
    return R"({"id":")" + id + R"(","type":"register","time":"2026-03-02T)" + time +
           R"(Z","subject":"c1"})" + "\n";
  }
  // The ids of all records in their order; what is no event is its number with a minus.
  std::vector<std::string> ids(const std::vector<InputFile>& files) {
    std::vector<std::string> found;
    auto input = Input::open(files, plan_, [] { return false; });
    if (!input) return {input.error().what};
    Record record;
    std::size_t number = 0;
    Incoming incoming;
    while (*input->next(record, number)) {
      if (input->decode(record, number, incoming) == Input::Outcome::Event)
        found.push_back(incoming.event.id);
      else
        found.push_back("-" + std::to_string(record.number));
    }
    return found;
  }

  plan::Plan plan_ = small_plan();
  std::filesystem::path folder_;
};

TEST_F(InputTest, ReadsAFileInOrder) {
  const auto path = file("a.ndjson", event("1", "10:00:00") + "\n" + event("2", "10:00:00") +
                                         "{}\r\n" + event("3", "10:00:01"));
  EXPECT_THAT(ids({{path}}), ElementsAre("1", "2", "-4", "3"));
}

TEST_F(InputTest, ReadsWithAByteOrderMarkAndWithoutALastLineFeed) {
  std::string text = "\xef\xbb\xbf" + event("1", "10:00:00") + event("2", "10:00:01");
  text.pop_back();
  EXPECT_THAT(ids({{file("a.ndjson", text)}}), ElementsAre("1", "2"));
}

TEST_F(InputTest, SortsWhatIsNotInOrderAndKeepsArrivalAtOneInstant) {
  std::string text;
  std::vector<std::string> expected;
  // Too long for one reading, so that places are sought again.
  const std::string blanks(2000, ' ');
  for (int i = 0; i < 300; ++i) {
    const int minute = (i * 7) % 60;
    text += blanks + event(std::to_string(i), "10:" + std::string(minute < 10 ? "0" : "") +
                                                  std::to_string(minute) + ":00");
  }
  for (int minute = 0; minute < 60; ++minute)
    for (int i = 0; i < 300; ++i)
      if ((i * 7) % 60 == minute) expected.push_back(std::to_string(i));
  EXPECT_EQ(ids({{file("a.ndjson", text)}}), expected);
}

TEST_F(InputTest, ABadLineStandsWithTheOneBeforeIt) {
  const auto path = file("a.ndjson", event("3", "12:00:00") + "bad\n" + event("1", "10:00:00") +
                                         "worse\n" + event("2", "11:00:00"));
  EXPECT_THAT(ids({{path}}), ElementsAre("1", "-4", "2", "3", "-2"));
}

TEST_F(InputTest, MergesFilesTiesByTheirOrder) {
  const auto a =
      file("a.ndjson", event("a1", "10:00:00") + event("a2", "11:00:00") + event("a3", "12:00:00"));
  const auto b = file("b.ndjson", event("b2", "11:00:00") + event("b1", "09:00:00"));
  EXPECT_THAT(ids({{a}, {b}}), ElementsAre("b1", "a1", "a2", "b2", "a3"));
  EXPECT_THAT(ids({{b}, {a}}), ElementsAre("b1", "a1", "b2", "a2", "a3"));
}

TEST_F(InputTest, ReadsPastLinesThatAreTooLong) {
  const auto path = file("a.ndjson", event("1", "10:00:00") + std::string(10u << 20, 'x') + "\n" +
                                         event("2", "10:00:00") + std::string(3u << 20, 'y'));
  EXPECT_THAT(ids({{path}}), ElementsAre("1", "-2", "2", "-4"));
}

TEST_F(InputTest, ReadsRowsWhoseQuotesHoldLineEnds) {
  const auto map =
      CsvMap::parse("type = \"register\"\ntime = t\nsubject = c\nid = i\nname = n\n", "m");
  const auto path = file("a.csv",
                         "i,t,c,n\r\n1,2026-03-02 10:00,c1,\"two\nlines\"\r\n2,2026-03-02 "
                         "10:00,c1,\"a \"\"b\"\"\"\r\n3,2026-03-02 09:00,c1,x\r\n");
  EXPECT_THAT(ids({{path, &*map}}), ElementsAre("3", "1", "2"));
  const auto open = file(
      "b.csv",
      "i,t,c,n\n1,2026-03-02 10:00,c1,\"never\n2,2026-03-02 10:00,c1,y\n3,2026-03-02 11:00,c1,z\n");
  EXPECT_THAT(ids({{open, &*map}}), ElementsAre("-2", "2", "3"));
  const auto long_open =
      file("c.csv", "i,t,c,n\n1,2026-03-02 10:00,c1,\"never\n" + std::string(700'000, '\n') +
                        "2,2026-03-02 10:00,c1,y\n" + std::string(700'000, '\n'));
  EXPECT_THAT(ids({{long_open, &*map}}), ElementsAre("-2", "2"));
}

TEST_F(InputTest, SaysWhatCannotBeRead) {
  EXPECT_THAT(ids({{folder_ / "none.ndjson"}}),
              ElementsAre(::testing::HasSubstr("none.ndjson` cannot be read: No such file")));
  EXPECT_THAT(ids({{folder_}}),
              ElementsAre(::testing::HasSubstr("is a folder; name the files in it")));
  const auto map = CsvMap::parse("type = a\ntime = t\nsubject = c\n", "m");
  EXPECT_THAT(
      ids({{file("empty.csv", ""), &*map}}),
      ElementsAre(::testing::HasSubstr("is empty; its first line should name the columns")));
  EXPECT_THAT(ids({{file("empty.ndjson", "")}}), ElementsAre());
}

}  // namespace
}  // namespace koi::runtime
