#include "services/cart/src/store/product_store.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace cart {
namespace {

using platform::Error;
using platform::ErrorCode;
using platform::Result;
using platform::Task;
using platform::postgres::KeyedStatement;
using platform::postgres::Lane;
using platform::postgres::Logged;
using platform::postgres::OrNotFound;
using platform::postgres::Planning;
using platform::postgres::QueryError;
using platform::postgres::Statement;
using platform::postgres::StatementText;

constexpr KeyedStatement<Product, ProductId> kFind{"find_product", R"(
SELECT id, id, created, name, description, round(price, 2)::text, sku, image_url, stock, is_active
FROM products
WHERE id = ANY ($1))"};

// A page of products on sale, in the order of their ids. Its keys are the id of the product before
// it and the number of products.
constexpr KeyedStatement<Product, std::int32_t, std::int32_t> kList{"list_products", R"(
SELECT page.after, page.size, product.*
FROM unnest($1, $2) AS page (after, size)
CROSS JOIN LATERAL (
    SELECT id, created, name, description, round(price, 2)::text, sku, image_url, stock, is_active
    FROM products
    WHERE is_active AND id > page.after
    ORDER BY id
    LIMIT page.size + 1
) AS product
ORDER BY page.after, page.size, product.id)"};

// A page of more rows takes long, so it is read in the lane of searches.
constexpr std::int32_t kShortPage = 100;

// The parameters of the statements of lists: whether products that are off sale are included, the
// id and the key of the product before the page, the page's limit, and the lowest and the highest
// price. As these are planned at each call, a condition whose parameter is null costs nothing.
using List = Statement<Product, bool, std::optional<std::int32_t>, std::optional<std::string>,
                       std::int32_t, std::optional<Money>, std::optional<Money>>;

// The parameters of the statements of searches: the same, and the term. They have one plan, because
// search_products() decides what depends on the term.
using Search = Statement<Product, bool, std::optional<std::int32_t>, std::optional<std::string>,
                         std::int32_t, std::optional<Money>, std::optional<Money>, std::string>;

// Concatenates texts at compile time.
template <const auto&... Texts>
constexpr auto kConcatenated = [] {
  std::array<char, (sizeof(Texts) + ... + 0) - sizeof...(Texts) + 1> all{};
  std::size_t size = 0;
  (static_cast<void>((std::ranges::copy_n(Texts, sizeof(Texts) - 1, all.begin() + size),
                      size += sizeof(Texts) - 1)),
   ...);
  return all;
}();

// The indexes and zones of the sorts begin with is_active, so the products on sale and the others
// are read separately and then merged.
constexpr char kActive[] = R"(
SELECT id, created, name, description, round(price, 2)::text, sku, image_url, stock, is_active
FROM ((SELECT * FROM products WHERE is_active)";
constexpr char kInactive[] = R"()
      UNION ALL
      (SELECT * FROM products WHERE $1 AND NOT is_active)";
constexpr char kEnd[] = R"()) AS found)";
constexpr char kFilters[] = R"(
         AND ($5::text IS NULL OR round(price, 2) >= $5::numeric)
         AND ($6::text IS NULL OR round(price, 2) <= $6::numeric)
         AND ($2::integer IS NULL OR )";

constexpr char kAfterId[] = "id > $2)";
constexpr char kAfterPrice[] = "(round(price, 2), id) > ($3::text::numeric, $2))";
constexpr char kBeforePrice[] = "(round(price, 2), id) < ($3::text::numeric, $2))";
constexpr char kAfterName[] = "(left(name, 256), id) > ($3::text, $2))";
constexpr char kBeforeName[] = "(left(name, 256), id) < ($3::text, $2))";

constexpr char kById[] = R"(
       ORDER BY id LIMIT $4 + 1)";
constexpr char kByPrice[] = R"(
       ORDER BY round(price, 2), id LIMIT $4 + 1)";
constexpr char kByPriceDown[] = R"(
       ORDER BY round(price, 2) DESC, id DESC LIMIT $4 + 1)";
constexpr char kByName[] = R"(
       ORDER BY left(name, 256), id LIMIT $4 + 1)";
constexpr char kByNameDown[] = R"(
       ORDER BY left(name, 256) DESC, id DESC LIMIT $4 + 1)";

template <const auto& After, const auto& Order>
constexpr List ListInOrder(const char* name) {
  return {
      name, Lane::kSearch,
      kConcatenated<kActive, kFilters, After, Order, kInactive, kFilters, After, Order, kEnd, Order>.data(),
      Planning::kEachCall};
}

constexpr auto kListById = ListInOrder<kAfterId, kById>("list_products_by_id");
constexpr auto kListByPrice = ListInOrder<kAfterPrice, kByPrice>("list_products_by_price");
constexpr auto kListByPriceDown =
    ListInOrder<kBeforePrice, kByPriceDown>("list_products_by_price_down");
constexpr auto kListByName = ListInOrder<kAfterName, kByName>("list_products_by_name");
constexpr auto kListByNameDown =
    ListInOrder<kBeforeName, kByNameDown>("list_products_by_name_down");

constexpr char kSearchActive[] = R"(
SELECT id, created, name, description, round(price, 2)::text, sku, image_url, stock, is_active
FROM (SELECT * FROM search_products()";
constexpr char kSearchInactive[] =
    R"(, true, $7, $5::text::numeric, $6::text::numeric, $2, $3, $4 + 1)
      UNION ALL
      SELECT * FROM search_products()";
constexpr char kSearchEnd[] =
    R"(, false, $7, $5::text::numeric, $6::text::numeric, $2, $3, $4 + 1) WHERE $1) AS found)";

constexpr char kIds[] = "'id', false";
constexpr char kPrices[] = "'price', false";
constexpr char kPricesDown[] = "'price', true";
constexpr char kNames[] = "'name', false";
constexpr char kNamesDown[] = "'name', true";

template <const auto& Sort, const auto& Order>
constexpr Search SearchInOrder(const char* name) {
  return {name, Lane::kSearch,
          kConcatenated<kSearchActive, Sort, kSearchInactive, Sort, kSearchEnd, Order>.data()};
}

constexpr auto kSearchById = SearchInOrder<kIds, kById>("search_products_by_id");
constexpr auto kSearchByPrice = SearchInOrder<kPrices, kByPrice>("search_products_by_price");
constexpr auto kSearchByPriceDown =
    SearchInOrder<kPricesDown, kByPriceDown>("search_products_by_price_down");
constexpr auto kSearchByName = SearchInOrder<kNames, kByName>("search_products_by_name");
constexpr auto kSearchByNameDown =
    SearchInOrder<kNamesDown, kByNameDown>("search_products_by_name_down");

// The statements of a sort.
struct Sorted {
  const List& list;
  const Search& search;
};

// Inserts nothing if the SKU is taken, so that no id is drawn. Only simultaneous requests for one
// SKU reach the constraint.
constexpr Statement<Product, ProductName, Money, std::optional<ProductDescription>,
                    std::optional<Sku>, std::optional<ImageUrl>, std::optional<Stock>, bool>
    kCreate{"create_product", Lane::kWrite, R"(
INSERT INTO products (name, price, description, sku, image_url, stock, is_active)
SELECT $1, $2::numeric, coalesce($3, ''), $4, $5, $6, $7
WHERE NOT EXISTS (SELECT FROM products WHERE lower(sku) = lower($4 COLLATE "C"))
RETURNING id, created, name, description, round(price, 2)::text, sku, image_url, stock, is_active)"};

constexpr Statement<Product, ProductId, std::optional<ProductName>, std::optional<Money>,
                    std::optional<ProductDescription>, bool, std::optional<Sku>, bool,
                    std::optional<ImageUrl>, bool, std::optional<Stock>, std::optional<bool>>
    kUpdate{"update_product", Lane::kWrite, R"(
UPDATE products
SET name = coalesce($2, name),
    price = coalesce($3::numeric, price),
    description = coalesce($4, description),
    sku = CASE WHEN $5 THEN $6 ELSE sku END,
    image_url = CASE WHEN $7 THEN $8 ELSE image_url END,
    stock = CASE WHEN $9 THEN $10 ELSE stock END,
    is_active = coalesce($11, is_active)
WHERE id = $1
RETURNING id, created, name, description, round(price, 2)::text, sku, image_url, stock, is_active)"};

constexpr Statement<void, ProductId> kDeactivate{
    "deactivate_product", Lane::kWrite, "UPDATE products SET is_active = false WHERE id = $1"};

Sorted StatementsOf(std::string_view sort) {
  if (sort == "price") return {kListByPrice, kSearchByPrice};
  if (sort == "-price") return {kListByPriceDown, kSearchByPriceDown};
  if (sort == "name") return {kListByName, kSearchByName};
  if (sort == "-name") return {kListByNameDown, kSearchByNameDown};
  return {kListById, kSearchById};
}

Error SkuTaken() {
  return Error::Field(ErrorCode::kInvalidArgument, "sku", "Product with this SKU already exists.");
}

Error WriteError(const QueryError& error) {
  return error.Violates("uq__products__lower_sku") ? SkuTaken() : Logged(error);
}

}  // namespace

ProductStore::Reply<Product> ProductStore::Find(ProductId product) {
  co_return OrNotFound(co_await client_.QueryOne(kFind, product));
}

ProductStore::Reply<ProductPage> ProductStore::List(const ProductQuery& query, Scope scope) {
  ASSIGN_OR_CO_RETURN(auto rows, Logged(co_await Fetch(query, scope)));
  ProductPage page{.items = std::move(rows)};
  const auto limit = static_cast<std::size_t>(query.Limit());
  if (page.items.size() > limit) {
    page.items.resize(limit);
    page.next = ProductPosition::Of(page.items.back(), query.sort);
  }
  co_return page;
}

Task<std::expected<std::vector<Product>, QueryError>> ProductStore::Fetch(const ProductQuery& query,
                                                                          Scope scope) {
  const std::string sort = query.sort ? query.sort->value() : "id";
  const bool has_prices = query.min_price || query.max_price;
  if (scope == Scope::kActive && sort == "id" && !query.IsSearch() && !has_prices &&
      query.Limit() <= kShortPage) {
    return client_.Query(kList, query.after ? query.after->id() : 0, query.Limit());
  }
  std::optional<std::int32_t> after_id;
  std::optional<std::string> after_key;
  if (query.after) {
    after_id = query.after->id();
    after_key = query.after->key();
  }
  const auto [list, search] = StatementsOf(sort);
  // In another order than that of prices, products of certain prices may be far from each other, so
  // they are searched for, too.
  if (!query.IsSearch() && (!has_prices || sort.ends_with("price"))) {
    return client_.Query(list, scope == Scope::kAll, after_id, after_key, query.Limit(),
                         query.min_price, query.max_price);
  }
  return client_.Query(search, scope == Scope::kAll, after_id, after_key, query.Limit(),
                       query.min_price, query.max_price, query.search ? query.search->value() : "");
}

ProductStore::Reply<Product> ProductStore::Create(const NewProduct& product) {
  auto created = co_await client_.QueryOne(
      kCreate, product.name, product.price, product.description, product.sku.value_or(std::nullopt),
      product.image_url.value_or(std::nullopt), product.stock.value_or(std::nullopt),
      product.is_active.value_or(true));
  if (!created) co_return std::unexpected(WriteError(created.error()));
  if (!*created) co_return std::unexpected(SkuTaken());
  co_return **std::move(created);
}

ProductStore::Reply<Product> ProductStore::Update(ProductId product, const ProductChange& change) {
  auto updated = co_await client_.QueryOne(
      kUpdate, product, change.name, change.price, change.description, change.sku.has_value(),
      change.sku.value_or(std::nullopt), change.image_url.has_value(),
      change.image_url.value_or(std::nullopt), change.stock.has_value(),
      change.stock.value_or(std::nullopt), change.is_active);
  if (!updated) co_return std::unexpected(WriteError(updated.error()));
  co_return OrNotFound(std::move(updated));
}

ProductStore::Reply<void> ProductStore::Deactivate(ProductId product) {
  co_return OrNotFound(co_await client_.Execute(kDeactivate, product));
}

std::vector<StatementText> ProductStore::Statements() {
  return TextsOf(kFind, kList, kListById, kListByPrice, kListByPriceDown, kListByName,
                 kListByNameDown, kSearchById, kSearchByPrice, kSearchByPriceDown, kSearchByName,
                 kSearchByNameDown, kCreate, kUpdate, kDeactivate);
}

}  // namespace cart
