#include "platform/migrations/from_files.h"

#include <gtest/gtest.h>

#include <array>
#include <stdexcept>

namespace platform::migrations {
namespace {

constexpr std::array<EmbeddedFile, 4> kFiles{{
    {.name = "V001__a.up.sql", .content = "-- Why.\nSELECT 1;", .sha256 = "aa"},
    {.name = "V001__a.down.sql", .content = "-- Back.\nSELECT 2;", .sha256 = "bb"},
    {.name = "V002__b.up.sql", .content = "-- Why.\nSELECT 3;", .sha256 = "cc"},
    {.name = "V002__b.down.sql", .content = "-- Back.\nSELECT 4;", .sha256 = "dd"},
}};

TEST(FromFilesTest, PairsFilesInOrder) {
  constexpr auto kMigrations = FromFiles(kFiles);
  ASSERT_EQ(kMigrations.size(), 2U);
  EXPECT_EQ(kMigrations[0].version, 1);
  EXPECT_EQ(kMigrations[0].name, "V001__a");
  EXPECT_EQ(kMigrations[1].version, 2);
  EXPECT_EQ(kMigrations[1].up, kFiles[2].content);
  EXPECT_EQ(kMigrations[1].down, kFiles[3].content);
  EXPECT_EQ(kMigrations[1].checksum, "cc");
}

// In FromFiles, an exception of these functions is a compile error.
TEST(FromFilesTest, RefusesBadNamesAndContents) {
  EXPECT_EQ(internal::ParseVersion("V042__answer"), 42);
  for (const char* name : {"", "V1__a", "V001_a", "001__a", "VOO1__a", "V001__", "W001__a"}) {
    EXPECT_THROW(internal::ParseVersion(name), std::invalid_argument) << name;
  }
  EXPECT_NO_THROW(internal::CheckContent("-- Why.\n"));
  EXPECT_THROW(internal::CheckContent("SELECT 1;"), std::invalid_argument);
  EXPECT_THROW(internal::CheckContent({"-- Why.\0", 8}), std::invalid_argument);
}

}  // namespace
}  // namespace platform::migrations
