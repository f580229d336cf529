#include "platform/migrations/command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <CLI/CLI.hpp>
#include <array>
#include <string>

#include "platform/migrations/testing/test_database.h"

namespace platform::migrations {
namespace {

using testing::AllOf;
using testing::HasSubstr;

constexpr std::array kMigrations{Migration{.version = 1,
                                           .name = "V001__notes",
                                           .up = "CREATE TABLE notes (text text)",
                                           .down = "DROP TABLE notes",
                                           .checksum = "one"},
                                 Migration{.version = 2,
                                           .name = "V002__more",
                                           .up = "ALTER TABLE notes ADD COLUMN more text",
                                           .down = "ALTER TABLE notes DROP COLUMN more",
                                           .checksum = "two"}};
constexpr MigrationSet kSet{
    .migrations = kMigrations, .demo = "INSERT INTO notes VALUES ('demo')", .adoptions = {}};

class MigrateCommandTest : public testing::Test {
 protected:
  struct Outcome {
    int exit_code;
    std::string out;
    std::string err;
  };

  // Parses a command line like a program's main().
  Outcome Run(const std::string& arguments) {
    CLI::App app;
    int exit_code = 0;
    AddMigrateCommand(app, kSet, [this] { return settings_; }, exit_code);
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    try {
      app.parse(arguments);
    } catch (const CLI::ParseError& error) {
      exit_code = app.exit(error);
    }
    return {.exit_code = exit_code,
            .out = testing::internal::GetCapturedStdout(),
            .err = testing::internal::GetCapturedStderr()};
  }

  TestDatabase database_;
  std::expected<postgres::Settings, std::string> settings_ = database_.settings();
};

TEST_F(MigrateCommandTest, UpWithDemoThenStatusThenBack) {
  const Outcome up = Run("migrate up --demo");
  EXPECT_EQ(up.exit_code, 0) << up.err;
  EXPECT_THAT(up.out, AllOf(HasSubstr("V001__notes: applied in "), HasSubstr(" ms\n"),
                            HasSubstr("demo data: 1 rows\n")));
  EXPECT_EQ(database_.Value("SELECT text FROM notes"), "demo");

  // At a terminal the command would ask for confirmation; --yes prevents that in this test.
  EXPECT_EQ(Run("migrate down --yes").exit_code, 0);
  const Outcome status = Run("migrate status");
  EXPECT_EQ(status.exit_code, 0);
  EXPECT_THAT(status.out,
              AllOf(HasSubstr("V001__notes  applied 20"), HasSubstr("V002__more   pending\n")));

  EXPECT_EQ(Run("migrate to 0 --yes").exit_code, 0);
  EXPECT_EQ(database_.Value(kSchemaVersionSql), "0");
  EXPECT_EQ(Run("migrate to 2 --wait 1").exit_code, 0);
  EXPECT_EQ(database_.Value(kSchemaVersionSql), "2");
}

TEST_F(MigrateCommandTest, FailuresGoToStderrWithExitCode1) {
  database_.Run("CREATE TABLE strange (id integer)");
  for (const char* arguments :
       {"migrate up", "migrate down --yes", "migrate to 1", "migrate status"}) {
    const Outcome outcome = Run(arguments);
    EXPECT_EQ(outcome.exit_code, 1) << arguments;
    EXPECT_EQ(outcome.out, "") << arguments;
    EXPECT_THAT(outcome.err, HasSubstr("the database holds tables (strange)")) << arguments;
  }
  settings_ = std::unexpected("POSTGRES_DB is missing");
  const Outcome unconfigured = Run("migrate up");
  EXPECT_EQ(unconfigured.exit_code, 1);
  EXPECT_EQ(unconfigured.err, "POSTGRES_DB is missing\n");
}

TEST_F(MigrateCommandTest, BadUsageRunsNothing) {
  for (const char* arguments : {"migrate", "migrate sideways", "migrate to", "migrate to 3",
                                "migrate to -1", "migrate to x", "migrate down --demo"}) {
    EXPECT_GT(Run(arguments).exit_code, 1) << arguments;
  }
  EXPECT_TRUE(database_.Run("SELECT FROM pg_tables WHERE schemaname = 'public'").empty());
}

TEST_F(MigrateCommandTest, HelpNamesEveryCommand) {
  const Outcome help = Run("migrate --help");
  EXPECT_EQ(help.exit_code, 0);
  EXPECT_THAT(help.out, AllOf(HasSubstr("up"), HasSubstr("down"), HasSubstr("to"),
                              HasSubstr("status"), HasSubstr("--wait")));
}

}  // namespace
}  // namespace platform::migrations
