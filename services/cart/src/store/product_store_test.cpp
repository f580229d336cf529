#include "services/cart/src/store/product_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <string>
#include <string_view>

#include "platform/migrations/testing/test_database.h"
#include "services/cart/migrations/migrations.h"

namespace cart {
namespace {

using platform::migrations::Runner;
using platform::migrations::TestDatabase;
using platform::postgres::StatementText;
using testing::HasSubstr;
using testing::Not;

// The arguments of a list of products, as SQL.
struct Arguments {
  std::string includes_inactive = "false";
  std::string pattern = "NULL";
  std::string short_term = "NULL";
  std::string min_price = "NULL";
  std::string max_price = "NULL";
  std::string id = "NULL";
  std::string key = "NULL";
  std::string limit = "20";
};

// Every list is planned with its arguments, so literals in their place have the same plan.
std::string WithArguments(std::string_view sql, const Arguments& arguments) {
  const std::array values{
      &arguments.includes_inactive, &arguments.pattern, &arguments.short_term, &arguments.min_price,
      &arguments.max_price,         &arguments.id,      &arguments.key,        &arguments.limit};
  std::string text;
  for (std::size_t i = 0; i < sql.size(); ++i) {
    if (sql[i] == '$') {
      text += *values.at(static_cast<std::size_t>(sql[++i] - '1'));
    } else {
      text += sql[i];
    }
  }
  return text;
}

TEST(ProductStore, EveryListUsesIndexes) {
  TestDatabase database;
  ASSERT_TRUE((Runner{database.settings(), Migrations()}.Up()));
  database.Run(R"(
      INSERT INTO products (name, description, price, is_active)
      SELECT 'lamp ' || CASE WHEN n > 36000 THEN 'novelty ' ELSE '' END || n, repeat('x', 100),
             n % 1000, n % 10 > 0
      FROM generate_series(1, 40000) AS n;
      SELECT finish_import())");

  const std::array searches{
      Arguments{},
      Arguments{.pattern = "'%lamp%'"},
      Arguments{.pattern = "'%novelty%'"},
      Arguments{.pattern = "'%12345%'"},
      Arguments{.pattern = "'%zzyzx%'"},
      Arguments{.pattern = "'%am%'", .short_term = "'am'"},
      Arguments{.pattern = "'%z%'", .short_term = "'z'"},
  };
  const std::array prices{Arguments{}, Arguments{.min_price = "'500.00'"},
                          Arguments{.min_price = "'500.00'", .max_price = "'501.00'"},
                          Arguments{.max_price = "'500.00'"}};
  int lists = 0;
  for (const StatementText& statement : ProductStore::Statements()) {
    const std::string_view name = statement.name;
    if (!name.starts_with("list_products_by_")) continue;
    ++lists;
    for (Arguments arguments : searches) {
      for (const Arguments& price : prices) {
        arguments.min_price = price.min_price;
        arguments.max_price = price.max_price;
        for (const char* scope : {"false", "true"}) {
          arguments.includes_inactive = scope;
          for (const bool is_first : {true, false}) {
            arguments.id = is_first ? "NULL" : "20000";
            arguments.key = is_first ? "NULL" : "'500.00'";
            const std::string sql = WithArguments(statement.sql, arguments);
            std::string plan;
            for (const auto& line : database.Run("EXPLAIN " + sql)) plan += line.at(0) + "\n";
            EXPECT_THAT(plan, Not(HasSubstr("Seq Scan"))) << sql;
          }
        }
      }
    }
  }
  EXPECT_EQ(lists, 5);
}

}  // namespace
}  // namespace cart
