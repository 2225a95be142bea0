#include "check/beside.h"

#include <gtest/gtest.h>

#include <fstream>

#include "base/scratch.h"

namespace koi::check {
namespace {

void write(const std::filesystem::path& path, std::string_view text) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << text;
}

TEST(Beside, AFileInTheSourcesFolderIsReadWhole) {
  const Scratch scratch;
  write(scratch / "rules/a.csv", "phone\r\n138\n");
  write(scratch / "rules/lists/b.csv", "");
  const std::vector<Source> sources{Source("none", ""),
                                    Source((scratch / "rules/a.koi").string(), "")};
  const ReadBeside read = beside_on_disk(sources);
  EXPECT_EQ(read(1, "a.csv"), "phone\r\n138\n");
  EXPECT_EQ(read(1, "./a.csv"), "phone\r\n138\n");
  EXPECT_EQ(read(1, "lists/b.csv"), "");
  EXPECT_EQ(read(1, "c.csv"), std::nullopt);
}

TEST(Beside, NothingIsReadThatIsElsewhereOrNoPlainFile) {
  const Scratch scratch;
  write(scratch / "secret.csv", "phone\n138\n");
  write(scratch / "rules/lists/b.csv", "x");
  const std::vector<Source> sources{Source((scratch / "rules/a.koi").string(), "")};
  const ReadBeside read = beside_on_disk(sources);
  EXPECT_EQ(read(0, "../secret.csv"), std::nullopt);
  EXPECT_EQ(read(0, "lists/../../secret.csv"), std::nullopt);
  EXPECT_EQ(read(0, (scratch / "secret.csv").string()), std::nullopt);
  EXPECT_EQ(read(0, "/dev/zero"), std::nullopt);
  EXPECT_EQ(read(0, "lists"), std::nullopt);
  EXPECT_EQ(read(0, ""), std::nullopt);
  EXPECT_EQ(read(0, "."), std::nullopt);
}

}  // namespace
}  // namespace koi::check
