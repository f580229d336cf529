#include "services/customers/migrations/migrations.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <idn2.h>
#include <sodium.h>
#include <unistr.h>

#include <array>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "platform/migrations/testing/test_database.h"
#include "services/customers/src/domain/email.h"

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

// Groups of spellings of one email.
constexpr const char* kSpellings = R"(
SELECT * FROM (VALUES
    ('case', 'Mixed@Example.com', 'mixed@EXAMPLE.com'),
    ('NFC and NFD', U&'zo\00EB@example.com', U&'zoe\0308@example.com'),
    ('case beyond ASCII', U&'ZO\00CB@example.com', U&'zoe\0308@example.com'),
    ('wide characters', U&'\FF5A\FF4F\FF45@example.com', 'zoe@example.com'),
    ('final sigma', 'ΟΔΟΣ@example.com', 'οδος@example.com'),
    ('quotes', '"zoe"@example.com', 'zoe@example.com'),
    ('quoted pairs', '"z\oe"@example.com', 'zoe@example.com'),
    ('quotes within quotes', '"a\"b"@example.com', '"\a\"\b"@example.com'),
    ('quotes and NFD', U&'"zoe\0308"@example.com', U&'zo\00EB@example.com'),
    ('punycode', 'a@bücher.example', 'a@xn--bcher-kva.example'),
    ('punycode in capitals', 'a@BÜCHER.example', 'a@XN--BCHER-KVA.EXAMPLE'),
    ('a domain in NFD', U&'a@bu\0308cher.example', 'a@xn--bcher-kva.example'),
    ('all labels', 'a@пример.рф', 'a@xn--e1afmkfd.xn--p1ai'),
    ('a subdomain', 'a@mail.bücher.example', 'a@mail.xn--bcher-kva.example'),
    ('an ideographic dot', 'a@日本語。jp', 'a@xn--wgv71a119e.jp'),
    ('ß in IDNA 2003', 'a@straße.example', 'a@strasse.example'),
    ('ß in IDNA 2008', 'a@straße.example', 'a@xn--strae-oqa.example')
) AS pair (what, one, other))";

TEST_F(CustomersMigrationsTest, OneAccountPerEmailInAnySpelling) {
  MigrateUp();
  EXPECT_EQ(database_.Run(std::string("SELECT what FROM (") + kSpellings +
                          ") AS pairs WHERE canonical_email(one) <> canonical_email(other)"),
            std::vector<std::vector<std::string>>());
  for (const auto& pair : database_.Run(kSpellings)) {
    const std::string id = Register(pair.at(1));
    EXPECT_THROW(Register(pair.at(2)), std::runtime_error) << pair.at(0);
    database_.Run("DELETE FROM users WHERE id = " + id);
  }
}

TEST_F(CustomersMigrationsTest, DifferentEmailsStayDifferent) {
  MigrateUp();
  for (const char* email : {"zoe@example.com",
                            "zoë@example.com",
                            "zo.e@example.com",
                            "zoe+x@example.com",
                            "\"zo e\"@example.com",
                            "zoe@example.org",
                            "zoe@xn--example.com",
                            "zoe@xn--.com",
                            "zoe@xn--99999999999.com",
                            "zoe@xn--a-\u00e4.com",
                            "strasse@example.com",
                            "straße@example.com",
                            "zoe@bücher.example",
                            "zoe@bucher.example",
                            "zoe",
                            "",
                            "@",
                            "\"",
                            "\"@example.com",
                            "\"\"@example.com"}) {
    EXPECT_NO_THROW(Register(email)) << email;
  }
}

// The database's form of an email agrees with libidn2 about every domain that can be registered.
TEST_F(CustomersMigrationsTest, DomainsAreMappedAsByIdna) {
  MigrateUp();
  std::string pairs;
  int count = 0;
  for (std::uint32_t character = 0xa0; character < 0x20000; ++character) {
    // These are all alike: ideographs and Hangul syllables.
    if ((character >= 0x3400 && character < 0xa000) ||
        (character >= 0xac00 && character < 0xd800) ||
        (character >= 0x17000 && character < 0x18d00)) {
      continue;
    }
    std::array<std::uint8_t, 4> bytes{};
    const int size = u8_uctomb(bytes.data(), character, bytes.size());
    if (size < 0) continue;  // A surrogate.
    const std::string label(reinterpret_cast<const char*>(bytes.data()),
                            static_cast<std::size_t>(size));
    const std::string domain = "a" + label + "b.example";
    if (Email::Check("x@" + domain)) continue;
    for (const int idna : {IDN2_TRANSITIONAL, IDN2_NONTRANSITIONAL}) {
      char* ascii = nullptr;
      if (idn2_to_ascii_8z(domain.c_str(), &ascii, IDN2_NFC_INPUT | idna) != IDN2_OK) continue;
      const std::unique_ptr<char, decltype(&idn2_free)> owner(ascii, idn2_free);
      pairs.append(pairs.empty() ? "('" : ",('").append(domain).append("','");
      pairs.append(ascii).append("')");
      ++count;
    }
  }
  EXPECT_GT(count, 40'000);
  EXPECT_EQ(database_.Value("SELECT count(*) || coalesce(': ' || string_agg(one, ' '), '')"
                            " FROM (VALUES " +
                            pairs +
                            ") AS pair (one, other)"
                            " WHERE canonical_email('x@' || one) <>"
                            " canonical_email('x@' || other)"),
            "0");
}

TEST_F(CustomersMigrationsTest, SpellingsOfOneEmailStopItBeforeAnyChange) {
  ASSERT_TRUE(runner_.To(11));
  for (const char* email :
       {"a@bücher.example", "zoe\u0308@example.com", "b@example.com", "zo\u00eb@example.com",
        "a@xn--bcher-kva.example", "\"zo\u00eb\"@example.com"}) {
    Register(email);
  }
  const std::string before = database_.Dump();
  const auto done = runner_.Up();
  ASSERT_FALSE(done);
  EXPECT_THAT(
      done.error().message,
      AllOf(HasSubstr("V012__recognize_spellings_of_emails.up.sql: some accounts have emails "
                      "that are spellings of one address (SQLSTATE 23505)"),
            HasSubstr("id 1: a@bücher.example, id 5: a@xn--bcher-kva.example\n"
                      "id 2: zoe\u0308@example.com, id 4: zo\u00eb@example.com, "
                      "id 6: \"zo\u00eb\"@example.com\n")));
  EXPECT_EQ(database_.Dump(), before);

  database_.Run("DELETE FROM users WHERE id > 3");
  MigrateUp();
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
