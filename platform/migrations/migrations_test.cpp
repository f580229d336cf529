#include "platform/migrations/migrations.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "platform/migrations/connection.h"
#include "platform/migrations/testing/test_database.h"
#include "tests/support/postgres_cluster.h"

namespace platform::migrations {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

constexpr Migration kShelves{
    .version = 1,
    .name = "V001__shelves",
    .up = "-- Somewhere to put things.\nCREATE TABLE shelves (id integer PRIMARY KEY);",
    .down = "-- Nowhere any more.\nDROP TABLE shelves;",
    .checksum = "one"};
constexpr Migration kBooks{.version = 2,
                           .name = "V002__books",
                           .up = "-- Things.\nCREATE TABLE books (id serial, title text);",
                           .down = "-- None.\nDROP TABLE books;",
                           .checksum = "two"};
constexpr std::array kBoth{kShelves, kBooks};
constexpr std::array kAdoptions{Adoption{.alembic_revision = "abc123", .version = 1},
                                Adoption{.alembic_revision = "abc124", .version = 1}};
constexpr std::array kExtensions{std::string_view{"pg_trgm"}};
constexpr MigrationSet kLibrary{
    .migrations = kBoth,
    .demo = "INSERT INTO books (title) SELECT 'Momo' WHERE NOT EXISTS (SELECT FROM books)",
    .extensions = kExtensions,
    .adoptions = kAdoptions,
    .adoption_warnings = "SELECT format('shelf %s is crooked', id) FROM shelves ORDER BY id"};

// The tables that the reference's tool leaves behind, with the schema of version 1.
constexpr const char* kAlembicDatabase =
    "CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY);"
    "INSERT INTO alembic_version VALUES ('abc123');"
    "CREATE TABLE shelves (id integer PRIMARY KEY);"
    "INSERT INTO shelves VALUES (7);";

class MigrationsTest : public testing::Test {
 protected:
  // A set that shares the first migration with kLibrary and goes on with `up`.
  MigrationSet WithSecond(std::string_view up) {
    migrations_ = {kShelves, kBooks};
    migrations_[1].up = up;
    return {.migrations = migrations_, .adoptions = kAdoptions};
  }

  Runner MakeRunner(const MigrationSet& set) {
    return Runner{database_.settings(),
                  set,
                  {.progress = [this](std::string_view line) { progress_.emplace_back(line); },
                   .runner_wait = std::chrono::seconds{1},
                   .table_wait = std::chrono::seconds{1},
                   .table_attempts = 2}};
  }

  Connection Connect() {
    auto connection = Connection::Open(database_.settings(), std::chrono::seconds{5},
                                       [](std::string_view /*warning*/) {});
    EXPECT_TRUE(connection);
    return *std::move(connection);
  }

  std::string TableCount() {
    return database_.Value("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'");
  }

  TestDatabase database_;
  std::vector<std::string> progress_;
  std::vector<Migration> migrations_;
};

// Succeeds, or fails with the error's text.
testing::AssertionResult Succeeds(const std::expected<void, MigrationError>& done) {
  return done ? testing::AssertionSuccess() : testing::AssertionFailure() << done.error().message;
}

TEST_F(MigrationsTest, UpAppliesEachOnceAndRecordsIt) {
  Runner runner = MakeRunner(kLibrary);
  ASSERT_TRUE(Succeeds(runner.Up()));
  EXPECT_THAT(database_.Run("SELECT version, name, checksum FROM schema_migrations ORDER BY 1"),
              ElementsAre(ElementsAre("1", "V001__shelves", "one"),
                          ElementsAre("2", "V002__books", "two")));
  EXPECT_EQ(database_.Value(kSchemaVersionSql), "2");
  EXPECT_THAT(progress_, ElementsAre(StartsWith("V001__shelves: applied in "),
                                     StartsWith("V002__books: applied in ")));
  progress_.clear();
  ASSERT_TRUE(Succeeds(runner.Up()));
  EXPECT_THAT(progress_, ElementsAre("nothing to do: the schema is at version 2"));
}

TEST_F(MigrationsTest, WalksBothWays) {
  Runner runner = MakeRunner(kLibrary);
  ASSERT_TRUE(Succeeds(runner.To(1)));
  EXPECT_EQ(database_.Value(kSchemaVersionSql), "1");
  ASSERT_TRUE(Succeeds(runner.Up()));
  ASSERT_TRUE(Succeeds(runner.Down()));
  EXPECT_EQ(database_.Value(kSchemaVersionSql), "1");
  ASSERT_TRUE(Succeeds(runner.To(0)));
  EXPECT_EQ(database_.Value(kSchemaVersionSql), "0");
  EXPECT_EQ(TableCount(), "1");  // Only schema_migrations.
  ASSERT_TRUE(Succeeds(runner.Down()));
  EXPECT_EQ(progress_.back(), "nothing to do: the schema is at version 0");
  EXPECT_THAT(runner.To(3).error().message, HasSubstr("there is no version 3: the latest is 2"));
  EXPECT_FALSE(runner.To(-1));
}

TEST_F(MigrationsTest, StairwayOfSmallSet) { WalkStairway(database_, kLibrary); }

TEST_F(MigrationsTest, FailingMigrationLeavesNothingBehindAndSaysWhere) {
  const auto set = WithSecond(
      "-- Zoë's reason: äöü.\n"
      "CREATE TABLE half (id integer);\n"
      "INSERT INTO shelves VALUES (1);\n"
      "SELECT no_such_column FROM shelves;\n");
  Runner runner = MakeRunner(set);
  const auto done = runner.Up();
  ASSERT_FALSE(done);
  EXPECT_THAT(done.error().message,
              AllOf(StartsWith("V002__books.up.sql, line 4: column \"no_such_column\" does not "
                               "exist (SQLSTATE 42703)"),
                    HasSubstr("Nothing of it was done: the schema is at version 1.")));
  EXPECT_EQ(database_.Value(kSchemaVersionSql), "1");
  EXPECT_EQ(database_.Value("SELECT count(*) FROM shelves"), "0");
  EXPECT_EQ(TableCount(), "2");

  // After the repair, it continues from there.
  EXPECT_TRUE(Succeeds(MakeRunner(kLibrary).Up()));
}

TEST_F(MigrationsTest, FailureOfTheFirstLeavesTheDatabaseEmpty) {
  migrations_ = {kShelves};
  migrations_[0].up = "CREATE TABLE a (id integer); SELECT 1 / 0;";
  const MigrationSet set{.migrations = migrations_};
  EXPECT_THAT(MakeRunner(set).Up().error().message, HasSubstr("SQLSTATE 22012"));
  EXPECT_EQ(TableCount(), "0");
}

TEST_F(MigrationsTest, FailedCommitIsAFailedMigration) {
  const auto set = WithSecond(
      "CREATE TABLE books (shelf integer REFERENCES shelves DEFERRABLE INITIALLY DEFERRED);"
      "INSERT INTO books VALUES (1);");
  EXPECT_THAT(MakeRunner(set).Up().error().message, HasSubstr("SQLSTATE 23503"));
  EXPECT_EQ(database_.Value(kSchemaVersionSql), "1");
}

TEST_F(MigrationsTest, ShowsWhatAScriptRaises) {
  const auto set = WithSecond(
      "DO $$ BEGIN RAISE EXCEPTION 'bad rows' USING DETAIL = 'rows 3, 4', HINT = 'Fix them.'; "
      "END $$");
  EXPECT_THAT(MakeRunner(set).Up().error().message,
              AllOf(HasSubstr("bad rows (SQLSTATE P0001)"), HasSubstr("detail: rows 3, 4"),
                    HasSubstr("hint: Fix them.")));
  const auto warning = WithSecond("DO $$ BEGIN RAISE WARNING 'slow disk'; END $$");
  EXPECT_TRUE(Succeeds(MakeRunner(warning).Up()));
  EXPECT_THAT(progress_, Contains("WARNING:  slow disk"));
}

TEST_F(MigrationsTest, MigrationMustNotEndItsTransaction) {
  const auto set = WithSecond("CREATE TABLE books (id integer); COMMIT;");
  EXPECT_THAT(MakeRunner(set).Up().error().message,
              HasSubstr("V002__books.up.sql ends the transaction"));
}

TEST_F(MigrationsTest, MigrationCannotCopy) {
  const auto in = WithSecond("COPY shelves FROM STDIN");
  EXPECT_THAT(MakeRunner(in).Up().error().message, HasSubstr("no data to COPY from"));
  const auto out = WithSecond("COPY shelves TO STDOUT");
  EXPECT_THAT(MakeRunner(out).Up().error().message, HasSubstr("cannot COPY to its client"));
  EXPECT_EQ(database_.Value(kSchemaVersionSql), "1");
}

// A server whose synchronous standby does not exist: commits wait for it for ever.
class WithoutStandbyTest : public testing::Test {
 protected:
  void SetUp() override {
    cluster_.Execute("ALTER SYSTEM SET synchronous_standby_names = 'missing'");
    cluster_.Execute("SELECT pg_reload_conf()");
  }

  // Cancels the next statement whose commit waits.
  std::jthread CancelWait() {
    return std::jthread([this] {
      while (cluster_
                 .Execute("SELECT pg_cancel_backend(pid) FROM pg_stat_activity "
                          "WHERE wait_event = 'SyncRep'")
                 .empty()) {
        std::this_thread::sleep_for(std::chrono::milliseconds{5});
      }
    });
  }

  test_support::PostgresCluster cluster_;
};

TEST_F(WithoutStandbyTest, AnUnconfirmedCommitIsAnError) {
  auto connection = Connection::Open(cluster_.Settings(), std::chrono::seconds{5},
                                     [](std::string_view /*warning*/) {});
  ASSERT_TRUE(connection);
  const auto expect_unconfirmed = [](const auto& done) {
    ASSERT_FALSE(done);
    EXPECT_TRUE(done.error().is_unconfirmed);
    EXPECT_EQ(done.error().sqlstate, "");
  };
  {
    const auto cancelling = CancelWait();
    expect_unconfirmed(connection->Run("CREATE TABLE numbers (number integer)"));
  }
  ASSERT_TRUE(connection->Run("BEGIN; INSERT INTO numbers VALUES (1)"));
  {
    const auto cancelling = CancelWait();
    expect_unconfirmed(connection->Run("COMMIT"));
  }
  {
    const auto cancelling = CancelWait();
    bool is_sent = false;
    expect_unconfirmed(
        connection->CopyIn("COPY numbers FROM STDIN", [&] -> std::optional<std::string_view> {
          return std::exchange(is_sent, true) ? std::nullopt
                                              : std::optional<std::string_view>("2\n");
        }));
  }
  // A statement that has nothing to commit is not affected.
  const auto rows = connection->Run("SELECT number FROM numbers ORDER BY 1");
  ASSERT_TRUE(rows);
  EXPECT_THAT(rows->rows, ElementsAre(ElementsAre("1"), ElementsAre("2")));
}

TEST_F(WithoutStandbyTest, AnUnconfirmedMigrationFailsAndIsNotRepeated) {
  Runner runner{cluster_.Settings(), kLibrary, {.progress = [](std::string_view /*line*/) {}}};
  for (std::size_t migration = 1; migration <= 2; ++migration) {
    const auto cancelling = CancelWait();
    const auto done = runner.Up();
    ASSERT_FALSE(done);
    EXPECT_THAT(done.error().message, HasSubstr("a failover may lose it"));
    EXPECT_THAT(done.error().message, testing::Not(HasSubstr("Nothing of it was done")));
  }
  EXPECT_TRUE(Succeeds(runner.Up()));
}

TEST_F(MigrationsTest, LostConnectionIsTold) {
  const auto set =
      WithSecond("CREATE TABLE books (id integer); SELECT pg_terminate_backend(pg_backend_pid());");
  EXPECT_THAT(MakeRunner(set).Up().error().message, HasSubstr("The connection is lost"));
  EXPECT_EQ(database_.Value(kSchemaVersionSql), "1");
  EXPECT_TRUE(Succeeds(MakeRunner(kLibrary).Up()));
}

TEST_F(MigrationsTest, ChangedMigrationIsRefusedBeforeAnythingRuns) {
  ASSERT_TRUE(Succeeds(MakeRunner(kLibrary).To(1)));
  migrations_ = {kShelves, kBooks};
  migrations_[0].checksum = "changed";
  const MigrationSet changed{.migrations = migrations_};
  EXPECT_THAT(MakeRunner(changed).Up().error().message,
              StartsWith("V001__shelves.up.sql is not what was applied to this database"));
  EXPECT_FALSE(MakeRunner(changed).Down());
  EXPECT_EQ(database_.Value(kSchemaVersionSql), "1");

  const auto status = MakeRunner(changed).GetStatus();
  ASSERT_TRUE(status);
  EXPECT_EQ(status->lines[0].state, StatusLine::State::kChanged);
}

TEST_F(MigrationsTest, NewerDatabaseIsRefused) {
  ASSERT_TRUE(Succeeds(MakeRunner(kLibrary).Up()));
  const MigrationSet older{.migrations = std::span{kBoth}.first(1)};
  EXPECT_THAT(MakeRunner(older).Up().error().message,
              HasSubstr("newer than this program: it holds V002__books"));
  const auto status = MakeRunner(older).GetStatus();
  ASSERT_TRUE(status);
  EXPECT_EQ(status->lines.at(1).state, StatusLine::State::kUnknown);
}

TEST_F(MigrationsTest, GapInTheHistoryIsRefused) {
  ASSERT_TRUE(Succeeds(MakeRunner(kLibrary).Up()));
  database_.Run("DELETE FROM schema_migrations WHERE version = 1");
  EXPECT_THAT(MakeRunner(kLibrary).Up().error().message,
              HasSubstr("holds V002__books, but not version 1"));
}

TEST_F(MigrationsTest, TablesOfUnknownOriginAreRefused) {
  database_.Run("CREATE TABLE shelves (id integer)");
  EXPECT_THAT(MakeRunner(kLibrary).Up().error().message,
              HasSubstr("holds tables (shelves), but neither schema_migrations nor"));
  EXPECT_FALSE(MakeRunner(kLibrary).GetStatus());
  EXPECT_EQ(TableCount(), "1");

  // Another program's table of this name.
  database_.Run("CREATE TABLE schema_migrations (dirty boolean)");
  EXPECT_THAT(MakeRunner(kLibrary).Up().error().message,
              HasSubstr("cannot read the table schema_migrations"));
}

TEST_F(MigrationsTest, AdoptsAKnownRevision) {
  database_.Run(kAlembicDatabase);
  const auto before = MakeRunner(kLibrary).GetStatus();
  ASSERT_TRUE(before);
  EXPECT_EQ(before->adoptable_revision, "abc123");
  EXPECT_EQ(before->lines.at(0).state, StatusLine::State::kPending);

  ASSERT_TRUE(Succeeds(MakeRunner(kLibrary).Up()));
  EXPECT_THAT(progress_,
              ElementsAre(HasSubstr("alembic revision abc123, which is version 1"),
                          "WARNING: shelf 7 is crooked", StartsWith("V002__books: applied")));
  EXPECT_EQ(database_.Value("SELECT id FROM shelves"), "7");
  EXPECT_EQ(database_.Value("SELECT version_num FROM alembic_version"), "abc123");

  // From here on only schema_migrations decides.
  database_.Run("UPDATE alembic_version SET version_num = 'other'");
  ASSERT_TRUE(Succeeds(MakeRunner(kLibrary).To(0)));
  EXPECT_TRUE(database_.Run("SELECT FROM pg_tables WHERE tablename = 'shelves'").empty());
  ASSERT_TRUE(Succeeds(MakeRunner(kLibrary).Up()));
  EXPECT_EQ(database_.Value("SELECT count(*) FROM shelves"), "0");
}

TEST_F(MigrationsTest, AdoptsEachKnownRevisionAndWarnsOfNothingThatIsNotThere) {
  database_.Run(kAlembicDatabase);
  database_.Run("UPDATE alembic_version SET version_num = 'abc124'; DELETE FROM shelves");
  ASSERT_TRUE(Succeeds(MakeRunner(kLibrary).Up()));
  EXPECT_THAT(progress_, ElementsAre(HasSubstr("alembic revision abc124, which is version 1"),
                                     StartsWith("V002__books: applied")));
}

TEST_F(MigrationsTest, AdoptionAloneRunsNothing) {
  database_.Run(kAlembicDatabase);
  ASSERT_TRUE(Succeeds(MakeRunner(kLibrary).To(1)));
  EXPECT_EQ(database_.Value(kSchemaVersionSql), "1");
  EXPECT_EQ(database_.Value("SELECT id FROM shelves"), "7");
}

TEST_F(MigrationsTest, AdoptedDatabaseCanGoDownAtOnce) {
  database_.Run(kAlembicDatabase);
  ASSERT_TRUE(Succeeds(MakeRunner(kLibrary).Down()));
  EXPECT_EQ(database_.Value(kSchemaVersionSql), "0");
}

TEST_F(MigrationsTest, AdoptionIsTakenBackWithTheMigrationThatFails) {
  database_.Run(kAlembicDatabase);
  const std::string before = database_.Dump();
  const auto set = WithSecond("SELECT 1 / 0");
  EXPECT_THAT(MakeRunner(set).Up().error().message,
              HasSubstr("the schema is at version 1, as it was found"));
  EXPECT_EQ(database_.Dump(), before);
}

TEST_F(MigrationsTest, OtherRevisionsAreRefused) {
  database_.Run(kAlembicDatabase);
  for (const auto* const state :
       {"UPDATE alembic_version SET version_num = 'older'",
        "INSERT INTO alembic_version VALUES ('abc123')", "DELETE FROM alembic_version"}) {
    database_.Run(state);
    const std::string before = database_.Dump();
    EXPECT_THAT(MakeRunner(kLibrary).Up().error().message,
                AllOf(StartsWith("the database is at alembic revision"),
                      HasSubstr("it can take over abc123 or abc124"),
                      HasSubstr("`alembic upgrade abc123` adds no demonstration data")))
        << state;
    EXPECT_EQ(database_.Dump(), before) << state;
  }
}

// A role that may log in, and has no rights.
class RightsTest : public MigrationsTest {
 protected:
  RightsTest() { database_.Run("CREATE ROLE guest LOGIN"); }
  ~RightsTest() override { database_.Run("DROP OWNED BY guest; DROP ROLE guest"); }

  Runner MakeGuestsRunner() {
    postgres::Settings settings = database_.settings();
    settings.user = "guest";
    return Runner{std::move(settings), kLibrary};
  }
};

TEST_F(RightsTest, WhatTheRoleMayNotCreateIsSaidBeforeAnythingIsChanged) {
  const std::string before = database_.Dump();
  const auto done = MakeGuestsRunner().Up();
  ASSERT_FALSE(done);
  EXPECT_THAT(done.error().message,
              AllOf(StartsWith("the role \"guest\" lacks rights in the database"),
                    HasSubstr("nothing was changed"),
                    HasSubstr("\n  GRANT USAGE, CREATE ON SCHEMA public TO guest;"),
                    HasSubstr("\n  CREATE EXTENSION pg_trgm;")));
  EXPECT_EQ(database_.Dump(), before);

  // Exactly what it asks for is enough.
  database_.Run("GRANT USAGE, CREATE ON SCHEMA public TO guest");
  EXPECT_THAT(MakeGuestsRunner().Up().error().message,
              AllOf(testing::Not(HasSubstr("GRANT")), HasSubstr("CREATE EXTENSION pg_trgm;")));
  EXPECT_EQ(TableCount(), "0");
  database_.Run("CREATE EXTENSION pg_trgm");
  EXPECT_TRUE(Succeeds(MakeGuestsRunner().Up()));
}

TEST_F(RightsTest, RoleMayCreateTheExtensionItself) {
  database_.Run("GRANT USAGE, CREATE ON SCHEMA public TO guest");
  database_.Run("GRANT CREATE ON DATABASE " + database_.settings().database + " TO guest");
  EXPECT_TRUE(Succeeds(MakeGuestsRunner().Up()));
}

TEST_F(RightsTest, AreNotAskedForWhenNothingIsToBeDone) {
  ASSERT_TRUE(Succeeds(MakeRunner(kLibrary).Up()));
  database_.Run(
      "GRANT USAGE ON SCHEMA public TO guest; GRANT SELECT ON schema_migrations TO guest");
  EXPECT_TRUE(Succeeds(MakeGuestsRunner().Up()));
}

TEST_F(RightsTest, AreNeededToAdopt) {
  database_.Run(kAlembicDatabase);
  database_.Run("GRANT USAGE ON SCHEMA public TO guest; GRANT SELECT ON alembic_version TO guest");
  const std::string before = database_.Dump();
  EXPECT_THAT(MakeGuestsRunner().To(1).error().message,
              HasSubstr("GRANT USAGE, CREATE ON SCHEMA public TO guest;"));
  EXPECT_EQ(database_.Dump(), before);
}

// The role guest serves: it reads and writes rows, and changes neither the schema nor its history.
class ServingRoleTest : public RightsTest {
 protected:
  Runner MakeGrantingRunner(const MigrationSet& set, const std::string& role = "guest") {
    return Runner{database_.settings(), set, {.serving_role = role}};
  }

  bool GuestMay(const std::string& statement) {
    Connection connection = Connect();
    return connection.Run("SET ROLE guest").has_value() && connection.Run(statement).has_value();
  }
};

TEST_F(ServingRoleTest, ReadsAndWritesRowsAndChangesNoSchema) {
  ASSERT_TRUE(Succeeds(MakeGrantingRunner(kLibrary).Up()));
  for (const char* statement :
       {"INSERT INTO books (title) VALUES ('Momo')", "UPDATE books SET title = 'Jim'",
        "SELECT FROM books FOR UPDATE", "DELETE FROM books",
        "SELECT max(version) FROM schema_migrations"}) {
    EXPECT_TRUE(GuestMay(statement)) << statement;
  }
  for (const char* statement :
       {"DELETE FROM schema_migrations", "UPDATE schema_migrations SET checksum = ''",
        "TRUNCATE books", "DROP TABLE books", "ALTER TABLE books ADD COLUMN x integer",
        "CREATE TABLE x (id integer)", "CREATE INDEX x ON books (title)",
        "SELECT setval('books_id_seq', 1)",
        "CREATE OR REPLACE FUNCTION x() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
        "CREATE EXTENSION pg_trgm", "COPY books TO PROGRAM 'true'"}) {
    EXPECT_FALSE(GuestMay(statement)) << statement;
  }
}

TEST_F(ServingRoleTest, GetsEachTableWithItsMigration) {
  ASSERT_TRUE(Succeeds(MakeGrantingRunner(kLibrary).To(1)));
  ASSERT_TRUE(Succeeds(MakeRunner(kLibrary).Up()));
  EXPECT_TRUE(GuestMay("SELECT FROM shelves"));
  EXPECT_FALSE(GuestMay("SELECT FROM books"));
  // There is nothing to migrate, but there are rights to grant.
  ASSERT_TRUE(Succeeds(MakeGrantingRunner(kLibrary).Up()));
  EXPECT_TRUE(GuestMay("SELECT FROM books"));
}

TEST_F(ServingRoleTest, ReadsWhereTheReferenceWasTakenOver) {
  database_.Run(kAlembicDatabase);
  ASSERT_TRUE(Succeeds(MakeGrantingRunner(kLibrary).Up()));
  EXPECT_TRUE(GuestMay("DELETE FROM shelves"));
  EXPECT_FALSE(GuestMay("DELETE FROM alembic_version"));
}

TEST_F(ServingRoleTest, AnUnknownOneIsSaidAndNothingIsDone) {
  EXPECT_THAT(MakeGrantingRunner(kLibrary, "nobody").Up().error().message,
              HasSubstr("role \"nobody\" does not exist"));
  EXPECT_EQ(TableCount(), "0");
}

TEST_F(MigrationsTest, LeftoverOfAnEmptyAlembicDatabaseDoesNoHarm) {
  database_.Run("CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)");
  EXPECT_TRUE(Succeeds(MakeRunner(kLibrary).Up()));
}

TEST_F(MigrationsTest, RacingRunnersApplyEachOnce) {
  const auto set = WithSecond("SELECT pg_sleep(0.3); CREATE TABLE books (id integer);");
  std::atomic<int> applied = 0;
  std::atomic<int> failed = 0;
  {
    const auto count = [&applied](std::string_view line) {
      applied += line.contains("applied") ? 1 : 0;
    };
    std::array<std::jthread, 8> runners;
    for (std::jthread& runner : runners) {
      runner = std::jthread{
          [&] { failed += Runner{database_.settings(), set, {.progress = count}}.Up() ? 0 : 1; }};
    }
  }
  EXPECT_EQ(applied, 2);
  EXPECT_EQ(failed, 0);
  EXPECT_EQ(database_.Value(kSchemaVersionSql), "2");
}

TEST_F(MigrationsTest, WaitsForAnotherRunnerOnlySoLong) {
  Connection other = Connect();
  ASSERT_TRUE(other.Run("SELECT pg_advisory_lock(7882264072303042932)"));
  EXPECT_THAT(MakeRunner(kLibrary).Up().error().message,
              HasSubstr("another runner still works on this database after 1 s"));
  EXPECT_THAT(progress_, ElementsAre(HasSubstr("another runner is at work")));
  ASSERT_TRUE(other.Run("SELECT pg_advisory_unlock(7882264072303042932)"));
  EXPECT_TRUE(Succeeds(MakeRunner(kLibrary).Up()));
}

TEST_F(MigrationsTest, WaitsForATableInUseOnlySoLong) {
  ASSERT_TRUE(Succeeds(MakeRunner(kLibrary).To(1)));
  Connection reader = Connect();
  ASSERT_TRUE(reader.Run("BEGIN; SELECT FROM shelves"));
  const auto set = WithSecond("ALTER TABLE shelves ADD COLUMN width integer");
  EXPECT_THAT(MakeRunner(set).Up().error().message, HasSubstr("SQLSTATE 55P03"));
  EXPECT_THAT(progress_, Contains(HasSubstr("trying again in 1 s")));
  ASSERT_TRUE(reader.Run("COMMIT"));
  EXPECT_TRUE(Succeeds(MakeRunner(set).Up()));
}

class OutsideTransactionTest : public MigrationsTest {
 protected:
  OutsideTransactionTest() { EXPECT_TRUE(Succeeds(MakeRunner(kLibrary).To(1))); }

  MigrationSet WithIndexes(std::string_view up) {
    MigrationSet set = WithSecond(up);
    migrations_[1].up_in_transaction = false;
    migrations_[1].down = "DROP INDEX a";
    return set;
  }

  // Returns the indexes of shelves, and whether each is valid.
  std::vector<std::vector<std::string>> Indexes() {
    return database_.Run(
        "SELECT relname, indisvalid FROM pg_index JOIN pg_class ON oid = indexrelid"
        " WHERE indrelid = 'shelves'::regclass AND NOT indisprimary ORDER BY 1");
  }

  void AwaitIndexInProgress() {
    while (Indexes().empty()) {
      std::this_thread::sleep_for(std::chrono::milliseconds{10});
    }
  }

  static constexpr std::string_view kIndexA =
      "-- Why.\nCREATE INDEX CONCURRENTLY IF NOT EXISTS a ON shelves (id);\n";
  static constexpr std::string_view kUniqueA =
      "-- Why.\nCREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS a ON shelves ((id / 10));\n";
};

TEST_F(OutsideTransactionTest, RunsEachStatementAndRecordsItOnce) {
  const auto set = WithIndexes(
      "-- Why.\n"
      "CREATE OR REPLACE FUNCTION twice(n integer) RETURNS integer LANGUAGE plpgsql IMMUTABLE AS "
      "$$\n"
      "BEGIN\n"
      "    RETURN 2 * n;\n"
      "END\n"
      "$$;\n"
      "CREATE INDEX CONCURRENTLY IF NOT EXISTS a\n"
      "    ON shelves (twice(id));\n"
      "ANALYZE shelves;\n");
  ASSERT_TRUE(Succeeds(MakeRunner(set).Up()));
  EXPECT_THAT(Indexes(), ElementsAre(ElementsAre("a", "t")));
  EXPECT_EQ(database_.Value(kSchemaVersionSql), "2");
  ASSERT_TRUE(Succeeds(MakeRunner(set).Down()));
  EXPECT_THAT(Indexes(), IsEmpty());
  ASSERT_TRUE(Succeeds(MakeRunner(set).Up()));
}

TEST_F(OutsideTransactionTest, ALongBuildHoldsUpNoWrite) {
  Connection writer = Connect();
  ASSERT_TRUE(writer.Run("BEGIN; INSERT INTO shelves VALUES (1)"));
  const auto set = WithIndexes(kIndexA);
  std::expected<void, MigrationError> done;
  std::jthread runner{[&] { done = MakeRunner(set).Up(); }};
  AwaitIndexInProgress();
  // The build waits for the writer. Other writes do not wait for the build.
  database_.Run("SET lock_timeout = '1ms'; INSERT INTO shelves VALUES (2)");
  EXPECT_THAT(Indexes(), ElementsAre(ElementsAre("a", "f")));
  ASSERT_TRUE(writer.Run("COMMIT"));
  runner.join();
  EXPECT_TRUE(Succeeds(done));
  EXPECT_THAT(Indexes(), ElementsAre(ElementsAre("a", "t")));
}

TEST_F(OutsideTransactionTest, AFailureLeavesNoInvalidIndex) {
  database_.Run("INSERT INTO shelves VALUES (11), (12)");
  const auto set = WithIndexes(kUniqueA);
  EXPECT_THAT(MakeRunner(set).Up().error().message,
              AllOf(StartsWith("V002__books.up.sql: could not create unique index \"a\""),
                    HasSubstr("The schema is at version 1; migrate again to repeat it.")));
  EXPECT_THAT(Indexes(), IsEmpty());
  EXPECT_EQ(database_.Value(kSchemaVersionSql), "1");
  database_.Run("DELETE FROM shelves WHERE id = 12");
  EXPECT_TRUE(Succeeds(MakeRunner(set).Up()));
}

TEST_F(OutsideTransactionTest, AnErrorNamesItsLine) {
  const auto set = WithIndexes("-- Why.\nSELECT 1;\n\nSELECT 2,\n    nothing;\n");
  EXPECT_THAT(MakeRunner(set).Up().error().message, StartsWith("V002__books.up.sql, line 5: "));
}

// What a crash of the server leaves: an index that is not valid, and no record.
TEST_F(OutsideTransactionTest, AnInvalidIndexOfACrashIsBuiltAgain) {
  Connection writer = Connect();
  ASSERT_TRUE(writer.Run("BEGIN; INSERT INTO shelves VALUES (1)"));
  const auto set = WithIndexes(kIndexA);
  std::expected<void, MigrationError> done;
  std::jthread runner{[&] { done = MakeRunner(set).Up(); }};
  AwaitIndexInProgress();
  database_.Run(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
      " WHERE application_name = 'microcart-migrate' AND query LIKE '%CREATE INDEX%'"
      "   AND pid <> pg_backend_pid()");
  runner.join();
  EXPECT_FALSE(done);
  ASSERT_TRUE(writer.Run("COMMIT"));
  ASSERT_THAT(Indexes(), ElementsAre(ElementsAre("a", "f")));
  EXPECT_TRUE(Succeeds(MakeRunner(set).Up()));
  EXPECT_THAT(Indexes(), ElementsAre(ElementsAre("a", "t")));
}

TEST_F(OutsideTransactionTest, RacingRunnersDoNotWaitForEachOther) {
  Connection writer = Connect();
  ASSERT_TRUE(writer.Run("BEGIN; INSERT INTO shelves VALUES (1)"));
  const auto set = WithIndexes(kIndexA);
  std::atomic<int> failed = 0;
  std::atomic<int> waiting = 0;
  {
    const auto count = [&waiting](std::string_view line) {
      waiting += line.contains("another runner") ? 1 : 0;
    };
    std::array<std::jthread, 4> runners;
    for (std::jthread& runner : runners) {
      runner = std::jthread{
          [&] { failed += Runner{database_.settings(), set, {.progress = count}}.Up() ? 0 : 1; }};
    }
    while (waiting < 3) {
      std::this_thread::sleep_for(std::chrono::milliseconds{10});
    }
    AwaitIndexInProgress();
    ASSERT_TRUE(writer.Run("COMMIT"));
  }
  EXPECT_EQ(failed, 0);
  EXPECT_EQ(database_.Value(kSchemaVersionSql), "2");
}

TEST_F(MigrationsTest, AdoptionIsRecordedWithTheFirstMigrationOutsideATransaction) {
  database_.Run(kAlembicDatabase);
  const std::string before = database_.Dump();
  auto set = WithSecond("SELECT 1 / 0;");
  migrations_[1].up_in_transaction = false;
  EXPECT_FALSE(MakeRunner(set).Up());
  EXPECT_EQ(database_.Dump(), before);
  set = WithSecond("CREATE INDEX CONCURRENTLY IF NOT EXISTS a ON shelves (id);");
  migrations_[1].up_in_transaction = false;
  EXPECT_TRUE(Succeeds(MakeRunner(set).Up()));
  EXPECT_EQ(database_.Value(kSchemaVersionSql), "2");
}

TEST_F(MigrationsTest, DemoNeedsTheLatestVersion) {
  ASSERT_TRUE(Succeeds(MakeRunner(kLibrary).To(1)));
  EXPECT_THAT(MakeRunner(kLibrary).InstallDemo().error().message,
              HasSubstr("demo data needs the schema at version 2, but it is at 1"));
  ASSERT_TRUE(Succeeds(MakeRunner(kLibrary).Up()));
  ASSERT_TRUE(Succeeds(MakeRunner(kLibrary).InstallDemo()));
  EXPECT_EQ(progress_.back(), "demo data: 1 rows");
  ASSERT_TRUE(Succeeds(MakeRunner(kLibrary).InstallDemo()));
  EXPECT_EQ(progress_.back(), "demo data: nothing to add, its ids were given out before");
}

TEST_F(MigrationsTest, StatusTellsAppliedFromPendingAndChangesNothing) {
  const auto empty = MakeRunner(kLibrary).GetStatus();
  ASSERT_TRUE(empty);
  EXPECT_EQ(empty->lines.size(), 2U);
  EXPECT_EQ(TableCount(), "0");

  ASSERT_TRUE(Succeeds(MakeRunner(kLibrary).To(1)));
  const auto status = MakeRunner(kLibrary).GetStatus();
  ASSERT_TRUE(status);
  ASSERT_EQ(status->lines.size(), 2U);
  EXPECT_EQ(status->lines[0].name, "V001__shelves");
  EXPECT_EQ(status->lines[0].state, StatusLine::State::kApplied);
  EXPECT_THAT(status->lines[0].applied_at, testing::EndsWith(" UTC"));
  EXPECT_EQ(status->lines[1].state, StatusLine::State::kPending);
}

TEST_F(MigrationsTest, WaitsForAServerThatIsNotUpButNotForAWrongDatabase) {
  postgres::Settings nowhere = database_.settings();
  nowhere.servers.front().host = "127.0.0.1";
  nowhere.servers.front().port = 1;
  const auto collect = [this](std::string_view line) { progress_.emplace_back(line); };
  Runner patient{nowhere, kLibrary, {.progress = collect, .connect_wait = std::chrono::seconds{1}}};
  EXPECT_THAT(patient.Up().error().message, HasSubstr("cannot connect to database"));
  EXPECT_THAT(progress_, ElementsAre(StartsWith("waiting up to 1 s for the server of database")));

  progress_.clear();
  postgres::Settings wrong = database_.settings();
  wrong.database = "no_such_database";
  Runner hasty{wrong, kLibrary, {.progress = collect, .connect_wait = std::chrono::seconds{60}}};
  EXPECT_THAT(hasty.GetStatus().error().message,
              HasSubstr("database \"no_such_database\" does not exist"));
  EXPECT_TRUE(progress_.empty());
}

}  // namespace
}  // namespace platform::migrations
