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

TEST(FromFilesTest, DirectivesSayHowAFileRuns) {
  constexpr std::array<EmbeddedFile, 2> kDirected{{
      {.name = "V001__a.up.sql",
       .content = "-- Why.\n-- migrate: outside a transaction\n-- migrate: replaces old\nSELECT 1;",
       .sha256 = "new"},
      {.name = "V001__a.down.sql", .content = "-- Back.\nSELECT 2;", .sha256 = "bb"},
  }};
  constexpr auto kMigrations = FromFiles(kDirected);
  EXPECT_FALSE(kMigrations[0].up_in_transaction);
  EXPECT_TRUE(kMigrations[0].down_in_transaction);
  EXPECT_EQ(kMigrations[0].checksum, "old");
  EXPECT_THROW(internal::ParseDirectives("-- Why.\n-- migrate: quickly\n"), std::invalid_argument);
}

TEST(FromFilesTest, AnIndexOfATableInUseIsBuiltConcurrently) {
  for (const char* allowed : {"CREATE TABLE a (b int);\nCREATE INDEX c ON a (b);",
                              "CREATE TABLE a(b int);\nCREATE UNIQUE INDEX c\n    ON a (b);",
                              "CREATE INDEX CONCURRENTLY IF NOT EXISTS c ON a (b);",
                              "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS c ON a (b);",
                              "DROP INDEX c;", "DROP INDEX CONCURRENTLY IF EXISTS c;"}) {
    EXPECT_NO_THROW(internal::CheckIndexes(allowed)) << allowed;
  }
  for (const char* refused :
       {"CREATE INDEX c ON a (b);", "CREATE UNIQUE INDEX c\n    ON a (b);",
        "CREATE TABLE aa (b int);\nCREATE INDEX c ON a (b);",
        "CREATE INDEX CONCURRENTLY c ON a (b);", "DROP INDEX CONCURRENTLY c;"}) {
    EXPECT_THROW(internal::CheckIndexes(refused), std::invalid_argument) << refused;
  }
}

}  // namespace
}  // namespace platform::migrations
