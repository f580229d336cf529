#include "services/cart/migrations/migrations.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>
#include <string>

#include "platform/migrations/testing/test_database.h"

namespace cart {
namespace {

using platform::migrations::Runner;
using platform::migrations::TestDatabase;
using platform::migrations::WalkStairway;
using testing::HasSubstr;

class CartMigrationsTest : public testing::Test {
 protected:
  void MigrateUp() {
    const auto done = runner_.Up();
    ASSERT_TRUE(done) << done.error().message;
  }
  void InstallDemo() {
    const auto done = runner_.InstallDemo();
    ASSERT_TRUE(done) << done.error().message;
  }
  std::string NextId(const std::string& sequence) {
    return database_.Value("SELECT nextval('" + sequence + "')");
  }
  std::string Items() {
    return database_.Value(
        "SELECT string_agg(format('%s:%s,%s,%s', id, cart_id, product_id, quantity), ' ' ORDER BY "
        "id) FROM cartitems");
  }
  std::string Plan(const std::string& query) {
    std::string plan;
    for (const auto& line : database_.Run("EXPLAIN " + query)) {
      plan += line.at(0) + "\n";
    }
    return plan;
  }

  TestDatabase database_;
  Runner runner_{database_.settings(), Migrations()};
};

TEST_F(CartMigrationsTest, Stairway) { WalkStairway(database_, Migrations()); }

TEST_F(CartMigrationsTest, FirstVersionIsTheReferencesSchema) {
  ASSERT_TRUE(runner_.To(1));
  TestDatabase reference;
  reference.Load(REFERENCE_DUMP);
  EXPECT_EQ(database_.Schema(), reference.Schema());
}

TEST_F(CartMigrationsTest, TakesOverTheReferencesDatabase) {
  database_.Load(REFERENCE_DUMP);
  const std::string products_query =
      "SELECT id, created, name, description, price FROM products ORDER BY id";
  const auto products = database_.Run(products_query);
  const auto items = database_.Run("SELECT * FROM cartitems ORDER BY id");
  const auto carts = database_.Run("SELECT user_id FROM carts ORDER BY user_id");
  ASSERT_EQ(products.size(), 4U);
  ASSERT_EQ(items.size(), 6U);
  ASSERT_EQ(carts.size(), 5U);

  MigrateUp();
  InstallDemo();  // Adds nothing, because these ids have been used.
  EXPECT_EQ(database_.Run(products_query), products);
  EXPECT_EQ(database_.Value("SELECT count(*) FROM products WHERE is_active AND sku IS NULL AND "
                            "image_url IS NULL AND stock IS NULL"),
            "4");
  EXPECT_EQ(database_.Run("SELECT * FROM cartitems ORDER BY id"), items);
  EXPECT_EQ(database_.Run("SELECT user_id FROM carts ORDER BY user_id"), carts);
  EXPECT_EQ(database_.Value("SELECT version_num FROM alembic_version"), "2560f7762880data");
  EXPECT_EQ(NextId("products_id_seq"), "5");
  EXPECT_EQ(NextId("cartitems_id_seq"), "7");

  TestDatabase fresh;
  ASSERT_TRUE((Runner{fresh.settings(), Migrations()}.Up()));
  EXPECT_EQ(database_.Schema(), fresh.Schema());
}

// The reference's last revision only adds demonstration data.
TEST_F(CartMigrationsTest, TakesOverADatabaseWithoutDemonstrationData) {
  database_.Load(REFERENCE_DUMP);
  database_.Run(
      "DELETE FROM carts WHERE user_id <= 4; DELETE FROM products WHERE id IN (1, 3);"
      "UPDATE alembic_version SET version_num = 'b13d1d3c6adb'");
  MigrateUp();
  EXPECT_EQ(Items(), "5:5,2,3 6:5,4,1");
  TestDatabase fresh;
  ASSERT_TRUE((Runner{fresh.settings(), Migrations()}.Up()));
  EXPECT_EQ(database_.Schema(), fresh.Schema());
}

TEST_F(CartMigrationsTest, OlderRevisionIsToldHowToGetHereWithoutData) {
  database_.Load(REFERENCE_DUMP);
  database_.Run("UPDATE alembic_version SET version_num = 'older'");
  EXPECT_THAT(runner_.Up().error().message, HasSubstr("`alembic upgrade b13d1d3c6adb`"));
}

TEST_F(CartMigrationsTest, IdsContinueBehindRowsThatCameWithTheirs) {
  ASSERT_TRUE(runner_.To(3));
  database_.Run(
      "INSERT INTO products (id, name, description, price) VALUES (41, 'P', '', 1);"
      "INSERT INTO carts VALUES (1); INSERT INTO cartitems VALUES (9, now(), 1, 41, 1)");
  MigrateUp();
  EXPECT_EQ(NextId("products_id_seq"), "42");
  EXPECT_EQ(NextId("cartitems_id_seq"), "10");
}

TEST_F(CartMigrationsTest, PricesThatNoShopCanChargeStopItAndAreListed) {
  database_.Load(REFERENCE_DUMP);
  database_.Run(
      "UPDATE products SET price = 'NaN' WHERE id = 1;"
      "UPDATE products SET price = -0.001 WHERE id = 2;"
      "UPDATE products SET price = 'Infinity' WHERE id = 4");
  const auto done = runner_.Up();
  ASSERT_FALSE(done);
  EXPECT_THAT(done.error().message, HasSubstr("id 1: NaN\nid 2: -0.001\nid 4: Infinity\n"));
  EXPECT_EQ(database_.Value("SELECT count(*) FROM information_schema.columns"
                            " WHERE table_name = 'products' AND column_name = 'sku'"),
            "0");

  database_.Run("UPDATE products SET price = 0 WHERE id IN (1, 2, 4)");
  MigrateUp();
  for (const std::string price : {"'NaN'", "-0.001", "'Infinity'", "'-Infinity'"}) {
    EXPECT_THROW(database_.Run("UPDATE products SET price = " + price + " WHERE id = 1"),
                 std::runtime_error)
        << price;
  }
}

TEST_F(CartMigrationsTest, TakenOverDatabaseGoesDownToNothingAndUpAgain) {
  database_.Load(REFERENCE_DUMP);
  MigrateUp();
  ASSERT_TRUE(runner_.To(0));
  MigrateUp();
  EXPECT_EQ(database_.Value("SELECT count(*) FROM products"), "0");
}

TEST_F(CartMigrationsTest, CascadesUseTheirIndex) {
  MigrateUp();
  database_.Run(
      "INSERT INTO products (name, description, price)"
      " SELECT md5(n::text), '', 1 FROM generate_series(1, 20000) AS n;"
      "INSERT INTO carts SELECT generate_series(1, 20000);"
      "INSERT INTO cartitems (cart_id, product_id, quantity)"
      " SELECT n, n, 1 FROM generate_series(1, 20000) AS n; ANALYZE");
  EXPECT_THAT(Plan("DELETE FROM cartitems WHERE product_id = 17"),
              HasSubstr("ix__cartitems__product_id"));
}

TEST_F(CartMigrationsTest, ZonesGetTheProductsThatAreThere) {
  ASSERT_TRUE(runner_.To(14));
  database_.Run(
      "INSERT INTO products (name, description, price, is_active)"
      " SELECT 'Lamp ' || n, '', n, n % 3 > 0 FROM generate_series(1, 2000) AS n");
  ASSERT_TRUE(runner_.To(15));
  // A service of the version before creates it.
  database_.Run("INSERT INTO products (name, description, price) VALUES ('Late lamp', '', 2)");
  MigrateUp();
  for (const std::string sort : {"id", "price", "name"}) {
    EXPECT_EQ(database_.Value("SELECT count(DISTINCT id) FROM product_zones, unnest(ids) AS id"
                              " WHERE sort = '" +
                              sort + "'"),
              "2001");
    EXPECT_EQ(database_.Value("SELECT count(*) FROM search_products('" + sort +
                              "', false, true, 'AMP', NULL, NULL, NULL, NULL, 5000)"),
              "1335");
  }
  // Down and up again, so that a version before finds its indexes.
  ASSERT_TRUE(runner_.To(14));
  EXPECT_THAT(Plan("SELECT id FROM products WHERE grams(name) @> grams('q')"),
              HasSubstr("ix__products__grams"));
  database_.Run("SELECT finish_import()");
  MigrateUp();
}

TEST_F(CartMigrationsTest, ACheckoutLeavesTheZonesAlone) {
  MigrateUp();
  database_.Run(
      "INSERT INTO products (name, description, price, stock) VALUES ('P', '', 1, 9);"
      "INSERT INTO carts VALUES (3); SELECT add_item(3, 1, 2, NULL)");
  const auto zones = database_.Run("SELECT xmin, ctid FROM product_zones ORDER BY ctid");
  database_.Run("SELECT check_out(3, '{*}')");
  EXPECT_EQ(database_.Value("SELECT stock FROM products"), "7");
  EXPECT_EQ(database_.Run("SELECT xmin, ctid FROM product_zones ORDER BY ctid"), zones);
}

// The services of version 12 run until all databases and replicas are new.
TEST_F(CartMigrationsTest, LinesOfEarlierCheckoutsGetTheirUser) {
  const std::string fill = "SELECT add_item(3, 1, 2, NULL)";
  ASSERT_TRUE(runner_.To(12));
  database_.Run(
      "INSERT INTO products (name, description, price) VALUES ('P', '', 1);"
      "INSERT INTO carts VALUES (3)");
  database_.Run(fill);
  database_.Run("SELECT check_out(3, '{*}')");
  ASSERT_TRUE(runner_.To(13));
  database_.Run(fill);
  database_.Run("SELECT check_out(3, '{*}')");
  const auto rows = database_.Run("SELECT * FROM checkout_rows ORDER BY id");
  ASSERT_EQ(rows.size(), 2U);

  MigrateUp();
  EXPECT_EQ(database_.Run("SELECT * FROM checkout_rows ORDER BY id"), rows);
  EXPECT_EQ(database_.Value("SELECT string_agg(user_id::text, ' ') FROM checkout_lines"), "3 3");

  database_.Run(fill);
  EXPECT_EQ(
      database_.Value("SELECT quantity FROM change_item((SELECT id FROM cartitems), 4, NULL)"),
      "4");
  database_.Run("SELECT remove_item((SELECT id FROM cartitems), NULL)");
  EXPECT_EQ(Items(), "");
}

TEST_F(CartMigrationsTest, AnItemIsWrittenToInItsCartOnly) {
  MigrateUp();
  InstallDemo();
  for (const std::string call : {"change_item(2, 1, 4, NULL)", "remove_item(2, 1, NULL)"}) {
    EXPECT_THROW(database_.Run("SELECT " + call), std::runtime_error) << call;
  }
  EXPECT_EQ(Items(), "1:1,1,1 2:2,2,5 3:3,3,5 4:4,4,5");
  database_.Run("SELECT change_item(1, 1, 4, NULL); SELECT remove_item(2, 2, NULL)");
  EXPECT_EQ(Items(), "1:1,1,4 3:3,3,5 4:4,4,5");
}

TEST_F(CartMigrationsTest, DemoIsIdempotentAndIdsContinueAt5) {
  MigrateUp();
  InstallDemo();
  const std::string once = database_.Dump();
  InstallDemo();
  EXPECT_EQ(database_.Dump(), once);

  // The same as in the reference's own demo data.
  TestDatabase reference;
  reference.Load(REFERENCE_DUMP);
  const auto* const products = "SELECT id, name, description, price FROM products ORDER BY id";
  EXPECT_EQ(database_.Run(products), reference.Run(products));
  EXPECT_EQ(Items(), "1:1,1,1 2:2,2,5 3:3,3,5 4:4,4,5");

  EXPECT_EQ(NextId("products_id_seq"), "5");
  EXPECT_EQ(NextId("carts_user_id_seq"), "5");
  EXPECT_EQ(NextId("cartitems_id_seq"), "5");
}

TEST_F(CartMigrationsTest, DemoLeavesWhatIsThere) {
  MigrateUp();
  database_.Run(
      "INSERT INTO products (name, description, price) VALUES ('Real', '', 7);"
      "INSERT INTO carts VALUES (2);"
      "INSERT INTO cartitems (cart_id, product_id, quantity) VALUES (2, 1, 3)");
  InstallDemo();
  EXPECT_EQ(database_.Value("SELECT name FROM products WHERE id = 1"), "Real");
  EXPECT_EQ(database_.Value("SELECT count(*) FROM products"), "4");
  EXPECT_EQ(Items(), "1:2,1,3 3:3,3,5 4:4,4,5");

  // Deleted rows stay deleted, and no sequence goes back.
  database_.Run("DELETE FROM cartitems; SELECT setval('cartitems_id_seq', 100)");
  InstallDemo();
  EXPECT_EQ(database_.Value("SELECT count(*) FROM cartitems"), "0");
  EXPECT_EQ(NextId("cartitems_id_seq"), "101");
}

}  // namespace
}  // namespace cart
