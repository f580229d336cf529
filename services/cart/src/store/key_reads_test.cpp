// Every read by key is planned with indexes, for any number of keys, on small and on large tables.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "platform/migrations/testing/test_database.h"
#include "services/cart/migrations/migrations.h"
#include "services/cart/src/store/cart_store.h"
#include "services/cart/src/store/checkout_store.h"
#include "services/cart/src/store/product_store.h"
#include "tests/support/key_read_plan.h"

namespace cart {
namespace {

using platform::migrations::Runner;
using platform::migrations::TestDatabase;

TEST(KeyReads, EachIsPlannedWithIndexes) {
  TestDatabase database;
  ASSERT_TRUE((Runner{database.settings(), Migrations()}.Up()));
  int loaded = 0;
  for (const int carts : {1, 1000, 50'000}) {
    // Without the triggers of the foreign keys, which would take most of the time.
    database.Run(fmt::format(
        "SET session_replication_role = replica;"
        "INSERT INTO products (name, description, price) "
        "SELECT 'lamp ' || i, '', 1 FROM generate_series({0}, {1}) i;"
        "INSERT INTO carts (user_id) SELECT generate_series({0}, {1});"
        "INSERT INTO cartitems (cart_id, product_id, quantity) "
        "SELECT cart, 1 + (cart + item) % {1}, 1 "
        "FROM generate_series({0}, {1}) cart, generate_series(1, 2) item "
        "ON CONFLICT DO NOTHING;"
        "INSERT INTO checkouts (user_id, etag, total_price) "
        "SELECT i, '', 1 FROM generate_series({0}, {1}) i;"
        "INSERT INTO checkout_lines (user_id, checkout_id, number, product_id, name, price, "
        "quantity) "
        "SELECT i, i, 1, i, '', 1, 1 FROM generate_series({0}, {1}) i;",
        loaded + 1, carts));
    database.Run("ANALYZE");
    loaded = carts;
    SCOPED_TRACE(fmt::format("{} carts", carts));
    EXPECT_EQ(test_support::ExpectIndexPlans(database.settings(),
                                             {CartStore::Statements(), CheckoutStore::Statements(),
                                              ProductStore::Statements()}),
              10);
  }
}

}  // namespace
}  // namespace cart
