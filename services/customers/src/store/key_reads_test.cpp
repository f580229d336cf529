// Every read by key is planned with indexes, for any number of keys, on small and on large tables.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>

#include "platform/migrations/testing/test_database.h"
#include "services/customers/migrations/migrations.h"
#include "services/customers/src/store/session_store.h"
#include "services/customers/src/store/user_store.h"
#include "tests/support/key_read_plan.h"

namespace customers {
namespace {

using platform::migrations::Runner;
using platform::migrations::TestDatabase;

TEST(KeyReads, EachIsPlannedWithIndexes) {
  TestDatabase database;
  ASSERT_TRUE((Runner{database.settings(), Migrations()}.Up()));
  int loaded = 0;
  for (const int users : {1, 1000, 50'000}) {
    const std::string series = fmt::format("generate_series({}, {}) AS i;", loaded + 1, users);
    database.Run(
        fmt::format("SET session_replication_role = replica;"
                    "INSERT INTO users (email, first_name, last_name, password, is_admin) "
                    "SELECT i || '@example.com', '', '', '', false FROM {0}"
                    "INSERT INTO sessions (user_id, id, expires, client, user_agent) "
                    "SELECT i, 1, now() + interval '1 day', '', '' FROM {0}",
                    series));
    database.Run("ANALYZE");
    loaded = users;
    SCOPED_TRACE(fmt::format("{} users", users));
    EXPECT_EQ(test_support::ExpectIndexPlans(database.settings(),
                                             {UserStore::Statements(), SessionStore::Statements()}),
              4);
  }
}

}  // namespace
}  // namespace customers
