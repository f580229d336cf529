#include "services/customers/migrations/migrations.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sodium.h>

#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "platform/migrations/testing/test_database.h"

namespace customers {
namespace {

using platform::migrations::kSchemaVersionSql;
using platform::migrations::Runner;
using platform::migrations::TestDatabase;
using platform::migrations::WalkStairway;
using testing::AllOf;
using testing::Contains;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class CustomersMigrationsTest : public testing::Test {
 protected:
  void MigrateUp() {
    const auto done = runner_.Up();
    ASSERT_TRUE(done) << done.error().message;
  }
  void InstallDemo() {
    const auto done = runner_.InstallDemo();
    ASSERT_TRUE(done) << done.error().message;
  }
  // Returns the id of a new account.
  std::string Register(const std::string& email) {
    return database_.Value(
        "INSERT INTO users (email, first_name, last_name, password, is_admin) VALUES ('" + email +
        "', '', '', '', false) RETURNING id");
  }

  TestDatabase database_;
  std::vector<std::string> progress_;
  Runner runner_{database_.settings(), Migrations(), {.progress = [this](std::string_view line) {
                   progress_.emplace_back(line);
                 }}};
};

TEST_F(CustomersMigrationsTest, Stairway) { WalkStairway(database_, Migrations()); }

TEST_F(CustomersMigrationsTest, FirstVersionIsTheReferencesSchema) {
  ASSERT_TRUE(runner_.To(1));
  TestDatabase reference;
  reference.Load(REFERENCE_DUMP);
  EXPECT_EQ(database_.Schema(), reference.Schema());
}

TEST_F(CustomersMigrationsTest, TakesOverTheReferencesDatabase) {
  database_.Load(REFERENCE_DUMP);
  const auto* const accounts =
      "SELECT id, created, email, first_name, last_name, password, is_admin FROM users ORDER BY id";
  const auto before = database_.Run(accounts);
  ASSERT_EQ(before.size(), 6U);

  MigrateUp();
  EXPECT_EQ(database_.Run(accounts), before);
  EXPECT_EQ(database_.Value("SELECT count(*) FROM users WHERE token_version = 0"), "6");
  EXPECT_EQ(database_.Value("SELECT version_num FROM alembic_version"), "ed7855b80d3fdata");

  // The schema is the same as a new one, and all steps work there too.
  TestDatabase fresh;
  ASSERT_TRUE((Runner{fresh.settings(), Migrations()}.Up()));
  EXPECT_EQ(database_.Schema(), fresh.Schema());

  // The dump has no position of the sequence, but new accounts get free ids.
  EXPECT_EQ(Register("seventh@example.com"), "7");

  // Demo data overwrites nothing.
  const auto accounts_before_demo = database_.Run(accounts);
  InstallDemo();
  EXPECT_EQ(database_.Run(accounts), accounts_before_demo);
}

TEST_F(CustomersMigrationsTest, DemonstrationAccountsOfTheReferenceAreNamed) {
  database_.Load(REFERENCE_DUMP);
  database_.Run("DELETE FROM users WHERE id = 2");
  MigrateUp();
  EXPECT_THAT(progress_,
              Contains(AllOf(StartsWith("WARNING: these are demonstration accounts"),
                             EndsWith(": admin1@email.com (id 1, administrator), "
                                      "nonadmin3@email.com (id 3), nonadmin4@email.com (id 4)"))));
}

// The reference's last revision only adds demonstration accounts.
TEST_F(CustomersMigrationsTest, TakesOverADatabaseWithoutDemonstrationAccounts) {
  database_.Load(REFERENCE_DUMP);
  database_.Run(
      "DELETE FROM users WHERE id <= 4; UPDATE alembic_version SET version_num = '274d2f4e6ee7'");
  MigrateUp();
  EXPECT_THAT(progress_, Contains(StartsWith("took over a database at alembic revision "
                                             "274d2f4e6ee7")));
  EXPECT_THAT(progress_, Not(Contains(HasSubstr("demonstration"))));
  EXPECT_EQ(database_.Value("SELECT string_agg(email, ' ' ORDER BY id) FROM users"),
            "zoe@example.com Mixed.Case@Example.com");
  TestDatabase fresh;
  ASSERT_TRUE((Runner{fresh.settings(), Migrations()}.Up()));
  EXPECT_EQ(database_.Schema(), fresh.Schema());
}

TEST_F(CustomersMigrationsTest, OlderRevisionIsToldHowToGetHereWithoutAccounts) {
  database_.Load(REFERENCE_DUMP);
  database_.Run("UPDATE alembic_version SET version_num = 'older'");
  EXPECT_THAT(runner_.Up().error().message, HasSubstr("`alembic upgrade 274d2f4e6ee7`"));
}

TEST_F(CustomersMigrationsTest, TakenOverDatabaseGoesDownToNothingAndUpAgain) {
  database_.Load(REFERENCE_DUMP);
  MigrateUp();
  ASSERT_TRUE(runner_.To(1));
  EXPECT_EQ(database_.Value("SELECT count(*) FROM users"), "6");
  ASSERT_TRUE(runner_.To(0));
  MigrateUp();
  EXPECT_EQ(database_.Value("SELECT count(*) FROM users"), "0");
}

TEST_F(CustomersMigrationsTest, EmailsThatDifferOnlyInCaseStopItBeforeAnyChange) {
  database_.Load(REFERENCE_DUMP);
  database_.Run(
      "INSERT INTO users (id, email, first_name, last_name, password, is_admin) VALUES"
      " (7, 'ZOE@Example.com', '', '', '', false), (8, 'Admin1@Email.com', '', '', '', false),"
      " (9, 'zoe@example.COM', '', '', '', false)");
  const std::string before = database_.Dump();
  const auto done = runner_.Up();
  ASSERT_FALSE(done);
  EXPECT_THAT(done.error().message,
              AllOf(StartsWith("V002__one_account_per_email.up.sql: some accounts have emails that "
                               "differ only in case (SQLSTATE 23505)"),
                    HasSubstr("id 1: admin1@email.com, id 8: Admin1@Email.com\n"
                              "id 5: zoe@example.com, id 7: ZOE@Example.com, "
                              "id 9: zoe@example.COM\n")));
  EXPECT_EQ(database_.Dump(), before);

  // With one account for each email it succeeds.
  database_.Run("DELETE FROM users WHERE id > 6");
  MigrateUp();
  EXPECT_EQ(database_.Value(kSchemaVersionSql), std::to_string(Migrations().LatestVersion()));
}

TEST_F(CustomersMigrationsTest, OneAccountPerEmailWhateverItsCase) {
  MigrateUp();
  Register("Mixed@Example.com");
  EXPECT_THROW(Register("mixed@example.com"), std::runtime_error);
}

TEST_F(CustomersMigrationsTest, SearchesUseTheIndex) {
  MigrateUp();
  database_.Run(
      "INSERT INTO users (email, first_name, last_name, password, is_admin)"
      " SELECT 'user' || n || '@example.com', md5(n::text), md5((n + 1)::text), '', false"
      " FROM generate_series(1, 20000) AS n; ANALYZE users");
  std::string plan;
  for (const auto& line :
       database_.Run("EXPLAIN SELECT id FROM users WHERE id > 0 AND (email ILIKE '%user12345@%'"
                     " OR first_name ILIKE '%user12345@%' OR last_name ILIKE '%user12345@%') ORDER "
                     "BY id LIMIT 20")) {
    plan += line.at(0) + "\n";
  }
  EXPECT_THAT(plan, HasSubstr("Bitmap Index Scan on ix__users__search"));
}

TEST_F(CustomersMigrationsTest, HashesOfTheReferenceAreFoundByTheirIndex) {
  MigrateUp();
  database_.Run(
      "INSERT INTO users (email, first_name, last_name, password, is_admin)"
      " SELECT 'user' || n || '@example.com', '', '', '$argon2id$' || md5(n::text), false"
      " FROM generate_series(1, 20000) AS n; ANALYZE users");
  std::string plan;
  for (const auto& line :
       database_.Run("EXPLAIN SELECT EXISTS (SELECT FROM users WHERE password LIKE '$5$%')")) {
    plan += line.at(0) + "\n";
  }
  EXPECT_THAT(plan, HasSubstr("ix__users__reference_hash"));
}

TEST_F(CustomersMigrationsTest, DemoIsIdempotentAndIdsContinueAt5) {
  MigrateUp();
  InstallDemo();
  const std::string once = database_.Dump();
  InstallDemo();
  EXPECT_EQ(database_.Dump(), once);
  EXPECT_EQ(database_.Value("SELECT string_agg(id || email || is_admin, ' ' ORDER BY id)"
                            " FROM users"),
            "1admin1@email.comtrue 2admin2@email.comtrue "
            "3nonadmin3@email.comfalse 4nonadmin4@email.comfalse");
  EXPECT_EQ(Register("fifth@example.com"), "5");
}

TEST_F(CustomersMigrationsTest, DemoAccountsHaveTheDocumentedPassword) {
  ASSERT_GE(sodium_init(), 0);
  MigrateUp();
  InstallDemo();
  const std::string password = "testPass123";
  for (const auto& row : database_.Run("SELECT password FROM users")) {
    EXPECT_EQ(crypto_pwhash_str_verify(row.at(0).c_str(), password.data(), password.size()), 0);
    EXPECT_THAT(row.at(0), StartsWith("$argon2id$v=19$m=19456,t=2,p=1$"));
  }
}

TEST_F(CustomersMigrationsTest, DemoLeavesWhatIsThere) {
  MigrateUp();
  EXPECT_EQ(Register("real@example.com"), "1");
  EXPECT_EQ(Register("ADMIN2@email.com"), "2");
  EXPECT_EQ(Register("deleted@example.com"), "3");
  database_.Run("DELETE FROM users WHERE id = 3");
  InstallDemo();
  EXPECT_EQ(database_.Value("SELECT string_agg(id || email, ' ' ORDER BY id) FROM users"),
            "1real@example.com 2ADMIN2@email.com 4nonadmin4@email.com");

  // A sequence that is ahead stays there, and deleted rows stay deleted.
  database_.Run("SELECT setval('users_id_seq', 100); DELETE FROM users WHERE id = 4");
  InstallDemo();
  EXPECT_EQ(database_.Value("SELECT count(*) FROM users"), "2");
  EXPECT_EQ(Register("next@example.com"), "101");
}

}  // namespace
}  // namespace customers
