#include "services/cart/src/store/product_store.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <random>
#include <ranges>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include "platform/migrations/testing/test_database.h"
#include "platform/postgres/test_loop.h"
#include "services/cart/migrations/migrations.h"

namespace cart {
namespace {

using platform::Task;
using platform::migrations::Runner;
using platform::migrations::TestDatabase;
using platform::postgres::Client;
using platform::postgres::StatementText;
using platform::postgres::TestLoop;
using platform::schema::PageLimit;
using platform::schema::SearchTerm;
using testing::HasSubstr;
using testing::Not;
using Scope = ProductStore::Scope;

constexpr std::array<std::string_view, 5> kSorts{"id", "price", "-price", "name", "-name"};

// An import that changes most of the products does this in the end.
constexpr const char* kRebuild =
    "BEGIN; SET LOCAL microcart.is_import = 'on';"
    "SELECT finish_import(ARRAY(SELECT id FROM products)); COMMIT";

std::string Quoted(std::string_view text) {
  std::string quoted = "'";
  for (const char character : text) {
    if (character == '\'') quoted += '\'';
    quoted += character;
  }
  return quoted + "'";
}

// The condition of an order as SQL, for products that are found without an index.
std::string_view OrderOf(std::string_view sort) {
  if (sort == "price") return "round(price, 2), id";
  if (sort == "-price") return "round(price, 2) DESC, id DESC";
  if (sort == "name") return "left(name, 256), id";
  if (sort == "-name") return "left(name, 256) DESC, id DESC";
  return "id";
}

class ProductStoreTest : public testing::Test {
 protected:
  ProductStoreTest() {
    if (const auto done = Runner{database_.settings(), Migrations()}.Up(); !done) {
      throw std::runtime_error(done.error().message);
    }
  }

  // Returns the ids of all pages.
  std::vector<std::int32_t> Found(ProductQuery query, Scope scope) {
    std::vector<std::int32_t> ids;
    loop_.Run([&](Client& client) -> Task<void> {
      ProductStore store(client);
      for (;;) {
        const auto page = co_await store.List(query, scope);
        if (!page) throw std::runtime_error("the list failed");
        for (const Product& product : page->items) ids.push_back(product.id.value());
        if (!page->next) break;
        EXPECT_EQ(std::ssize(page->items), query.Limit());
        const auto next = ProductPosition::Parse(std::visit(
            [](const auto& position) { return fmt::format("{}", position); }, *page->next));
        if (!next) throw std::runtime_error("the position is bad");
        query.after = *next;
      }
    });
    return ids;
  }

  // Returns what Found() must return, from a scan of the table.
  std::vector<std::int32_t> Scanned(const ProductQuery& query, Scope scope) {
    std::string sql = "SELECT id FROM products WHERE true";
    if (scope == Scope::kActive) sql += " AND is_active";
    if (query.search) {
      sql += " AND strpos(lower(name), lower(" + Quoted(query.search->value()) + ")) > 0";
    }
    if (query.min_price) sql += " AND round(price, 2) >= " + query.min_price->value();
    if (query.max_price) sql += " AND round(price, 2) <= " + query.max_price->value();
    sql += " ORDER BY ";
    sql += OrderOf(query.sort ? query.sort->value() : "id");
    std::vector<std::int32_t> ids;
    for (const auto& row : database_.Run(sql)) ids.push_back(std::stoi(row.at(0)));
    return ids;
  }

  TestDatabase database_;
  TestLoop loop_{database_.settings()};
};

// The arguments of a list of products, as SQL.
struct Arguments {
  std::string includes_inactive = "false";
  std::string id = "NULL";
  std::string key = "NULL";
  std::string limit = "20";
  std::string min_price = "NULL";
  std::string max_price = "NULL";
  std::string term = "''";
};

std::string WithArguments(std::string_view sql, const Arguments& arguments) {
  const std::array values{
      &arguments.includes_inactive, &arguments.id,        &arguments.key, &arguments.limit,
      &arguments.min_price,         &arguments.max_price, &arguments.term};
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

std::vector<StatementText> StatementsOf(std::string_view prefix) {
  std::vector<StatementText> found = ProductStore::Statements();
  std::erase_if(found, [&](const StatementText& statement) {
    return !std::string_view(statement.name).starts_with(prefix);
  });
  EXPECT_EQ(found.size(), kSorts.size());
  return found;
}

// Every list is planned with its arguments, so literals in their place have the same plan.
TEST_F(ProductStoreTest, EveryListUsesIndexes) {
  database_.Run(R"(
      INSERT INTO products (name, description, price, is_active)
      SELECT 'lamp ' || n, repeat('x', 100), n % 1000, n % 10 > 0
      FROM generate_series(1, 40000) AS n;
      SELECT finish_import())");
  const std::array prices{Arguments{}, Arguments{.min_price = "'500.00'"},
                          Arguments{.min_price = "'500.00'", .max_price = "'501.00'"},
                          Arguments{.max_price = "'500.00'"}};
  for (const StatementText& statement : StatementsOf("list_products_by_")) {
    for (Arguments arguments : prices) {
      for (const char* scope : {"false", "true"}) {
        arguments.includes_inactive = scope;
        for (const bool is_first : {true, false}) {
          arguments.id = is_first ? "NULL" : "20000";
          arguments.key = is_first ? "NULL" : "'500.00'";
          const std::string sql = WithArguments(statement.sql, arguments);
          std::string plan;
          for (const auto& line : database_.Run("EXPLAIN " + sql)) plan += line.at(0) + "\n";
          EXPECT_THAT(plan, Not(HasSubstr("Seq Scan"))) << sql;
        }
      }
    }
  }
}

// Wherever the products of a term are, a search reads few others, and the names of each zone once.
TEST_F(ProductStoreTest, ASearchReadsFewRows) {
  database_.Run(R"(
      INSERT INTO products (name, description, price, is_active)
      SELECT (ARRAY['red', 'old', 'new', 'white'])[1 + n % 4] || ' '
                 || (ARRAY['lamp', 'desk', 'sofa'])[1 + n / 4 % 3] || ' of wood '
                 || CASE WHEN n > 45000 THEN 'novelty ' ELSE '' END || md5(n::text),
             '', n % 20000, n % 10 > 0
      FROM generate_series(1, 50000) AS n;
      SELECT finish_import())");
  const int zones =
      std::stoi(database_.Value("SELECT count(*) FROM product_zones WHERE sort = 'id'"));
  ASSERT_GT(zones, 600);
  for (const StatementText& statement : StatementsOf("search_products_by_")) {
    for (const std::string term :
         {"WOOD", "novelty", "white", "wood lamp", "lampsofa", "wood c4ca4238a", "zq", "%"}) {
      for (const bool has_prices : {false, true}) {
        if (has_prices && term != "novelty") continue;
        Arguments arguments{.includes_inactive = "true", .term = Quoted(term)};
        if (has_prices) {
          arguments.min_price = "'15000'";
          arguments.max_price = "'19999'";
        }
        const auto rows = database_.Run(fmt::format(
            "{};"
            "SELECT sum(seq_tup_read + idx_tup_fetch) FROM pg_stat_xact_user_tables"
            " WHERE relname IN ('products', 'product_zones') GROUP BY relname ORDER BY relname",
            WithArguments(statement.sql, arguments)));
        const std::string what = fmt::format("{}: {}, {}", statement.name, term, has_prices);
        EXPECT_LE(std::stoi(rows.at(0).at(0)), 2 * zones + 300) << what << ", zones";
        EXPECT_LE(std::stoi(rows.at(1).at(0)), has_prices ? 9'000 : 500) << what << ", products";
      }
    }
  }
}

// Makes changes and queries of a catalogue at random.
class RandomCatalogue {
 public:
  explicit RandomCatalogue(std::uint32_t seed) : random_(seed) {}

  std::string Name() {
    switch (Below(14)) {
      case 0:
        return "novelty " + std::to_string(Below(50));
      case 1:
        return "ÄRGER über " + std::to_string(Below(50));
      case 2:
        return "50% off_" + std::to_string(Below(20)) + "\\x";
      case 3:
        return "o'clock \"q\"";
      case 4:
        return std::string(300, 'n') + std::to_string(Below(9));
      case 5:
        return "ΣΊΣΥΦΟΣ Q İ ß\n" + std::to_string(Below(9));
      case 6:
        return Letter();
      case 7:
        return "";
      default:
        return Word() + " " + Word() + (Below(2) == 0 ? " of " : "  ") + Word();
    }
  }

  std::string Term() {
    switch (Below(8)) {
      case 0:
        return Letter();
      case 1:
        return Word().substr(0, 2);
      case 2:
        return Word() + " " + Word();
      case 3: {
        const std::array<std::string, 13> terms{"NOVELTY", "ärger",     "ÜBER", "%",  "_",
                                                "\\",      "'",         "q",    "\n", " ",
                                                "ςίσ",     "no such x", "nnnn"};
        return terms.at(Below(terms.size()));
      }
      default:
        return Word();
    }
  }

  std::string Price() { return fmt::format("{}.{:02}", Below(90), Below(100)); }

  // Products that are added together often have the same word, so words are in some places only.
  std::string Change(std::uint32_t products) {
    const auto id = [&] { return 1 + Below(products); };
    switch (Below(10)) {
      case 0:
        return kRebuild;
      case 1: {
        const std::string word = Name();
        std::string sql = "INSERT INTO products (name, description, price, is_active) VALUES ";
        for (int i = 0; i < 40; ++i) {
          sql += fmt::format("{}({}, '', {}, {})", i > 0 ? ", " : "",
                             Quoted(Below(2) == 0 ? word : Name()), Price(),
                             Below(4) == 0 ? "false" : "true");
        }
        return sql;
      }
      case 2:
        return fmt::format("UPDATE products SET price = {} WHERE id % 61 = {}", Price(), Below(61));
      case 3:
        return fmt::format("UPDATE products SET is_active = NOT is_active WHERE id % 97 = {}",
                           Below(97));
      case 4:
        return fmt::format("DELETE FROM products WHERE id = {}", id());
      case 5:
        // An import that fails.
        return fmt::format(
            "BEGIN; SET LOCAL microcart.is_import = 'on';"
            "UPDATE products SET name = {0} WHERE id % 41 = {1}; ROLLBACK;"
            "UPDATE products SET name = {0} WHERE id = {1}",
            Quoted(Name()), Below(41));
      case 6:
        return fmt::format(
            "BEGIN; SET LOCAL microcart.is_import = 'on';"
            "UPDATE products SET name = {0} WHERE id % 83 = {1};"
            "SELECT finish_import(ARRAY(SELECT id FROM products WHERE id % 83 = {1})); COMMIT",
            Quoted(Name()), Below(83));
      default:
        return fmt::format("UPDATE products SET name = {}, price = {} WHERE id IN ({}, {}, {})",
                           Quoted(Name()), Price(), id(), id(), id());
    }
  }

  ProductQuery Query() {
    ProductQuery query{.limit = PageLimit::Unchecked(static_cast<std::int32_t>(1 + Below(40)))};
    if (Below(8) > 0) query.search = SearchTerm::Unchecked(Term());
    if (Below(6) > 0) {
      query.sort = ProductSort::Unchecked(std::string(kSorts.at(Below(kSorts.size()))));
    }
    if (Below(4) == 0) query.min_price = Money::Unchecked(Price());
    if (Below(4) == 0) query.max_price = Money::Unchecked(Price());
    if (Below(10) == 0) query.limit.reset();
    return query;
  }

  std::size_t Below(std::size_t bound) {
    return std::uniform_int_distribution<std::size_t>(0, bound - 1)(random_);
  }

 private:
  std::string Letter() { return fmt::format("{:c}", 'a' + Below(26)); }

  std::string Word() {
    constexpr std::array kWords{"red", "lamp", "wood", "old", "desk", "woods", "re", "clamp"};
    return kWords.at(Below(kWords.size()));
  }

  std::mt19937 random_;
};

// Compares with a scan of the table while products are created, changed, deleted and imported.
TEST_F(ProductStoreTest, ListsHaveTheProductsOfAScan) {
  const std::uint32_t seed = std::random_device()();
  SCOPED_TRACE(fmt::format("seed {}", seed));
  RandomCatalogue random(seed);
  std::string values;
  for (int i = 0; i < 3500; ++i) {
    // The newest tenth has a word of its own.
    values += fmt::format("{}({}, '', {}, {})", i > 0 ? ", " : "",
                          Quoted(i < 3150 ? random.Name() : "late " + random.Name()),
                          random.Price(), i % 5 == 0 ? "false" : "true");
  }
  database_.Run("INSERT INTO products (name, description, price, is_active) VALUES " + values);
  std::size_t found = 0;
  for (int round = 0; round < 20; ++round) {
    const std::string change = random.Change(3500);
    database_.Run(change);
    for (int i = 0; i < 6; ++i) {
      const ProductQuery query = random.Query();
      const Scope scope = random.Below(3) == 0 ? Scope::kAll : Scope::kActive;
      const auto expected = Scanned(query, scope);
      found += expected.size();
      ASSERT_EQ(Found(query, scope), expected)
          << "search " << (query.search ? query.search->value() : "-") << ", sort "
          << (query.sort ? query.sort->value() : "-") << ", after " << change;
    }
  }
  EXPECT_GT(found, 1'000U);
  // No zone has grown far beyond its size.
  EXPECT_EQ(database_.Value("SELECT count(*) FROM (SELECT FROM product_zones"
                            " GROUP BY sort, is_active, lower_price, lower_name, lower_id"
                            " HAVING count(*) > 17) AS grown"),
            "0");
}

// A product's zone may be cut, or all zones may be rebuilt, while the product is written.
TEST_F(ProductStoreTest, WritersAndRebuildsLoseNoProduct) {
  constexpr int kWriters = 3;
  constexpr int kProducts = 60;
  const auto name = [](int writer, int product) {
    return ProductName::Unchecked(fmt::format("made {}x{}y", writer, product));
  };
  {
    std::vector<std::jthread> writers;
    for (int writer = 0; writer < kWriters; ++writer) {
      writers.emplace_back([&, writer] {
        TestLoop loop{database_.settings()};
        loop.Run([&](Client& client) -> Task<void> {
          ProductStore store(client);
          for (int i = 0; i < kProducts; ++i) {
            const auto created =
                co_await store.Create({.name = ProductName::Unchecked(fmt::format("new {}", i)),
                                       .price = Money::Unchecked("1.00")});
            EXPECT_TRUE(created);
            if (!created) co_return;
            EXPECT_TRUE(co_await store.Update(
                created->id,
                {.name = name(writer, i), .price = Money::Unchecked(fmt::format("{}.00", i % 7))}));
          }
        });
      });
    }
    std::jthread rebuilder([&](const std::stop_token& stop) {
      while (!stop.stop_requested()) database_.Run(kRebuild);
    });
    for (std::jthread& writer : writers) writer.join();
  }
  for (const std::string_view sort : kSorts) {
    for (int writer = 0; writer < kWriters; ++writer) {
      for (int i = 0; i < kProducts; ++i) {
        const ProductQuery query{.search = SearchTerm::Unchecked(name(writer, i).value()),
                                 .sort = ProductSort::Unchecked(std::string(sort))};
        EXPECT_EQ(Found(query, Scope::kActive).size(), 1U)
            << sort << ' ' << name(writer, i).value();
      }
    }
  }
}

}  // namespace
}  // namespace cart
