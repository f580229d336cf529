#include "services/cart/src/store/product_store.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstddef>
#include <optional>
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

// The parameters of the statements below: whether products that are off sale are included, a LIKE
// pattern, a term without trigrams, the lowest and the highest price, the id and the key of the
// product before the page, and the page's limit. As these are planned at each call, a condition
// whose parameter is null costs nothing.
using FilteredList =
    Statement<Product, bool, std::optional<std::string>, std::optional<std::string>,
              std::optional<Money>, std::optional<Money>, std::optional<std::int32_t>,
              std::optional<std::string>, std::int32_t>;

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

// The indexes of the sorts begin with is_active, so the products on sale and the others are read
// separately and then merged.
constexpr char kActive[] = R"(
SELECT id, created, name, description, round(price, 2)::text, sku, image_url, stock, is_active
FROM ((SELECT * FROM products WHERE is_active)";
constexpr char kInactive[] = R"()
      UNION ALL
      (SELECT * FROM products WHERE $1 AND NOT is_active)";
constexpr char kEnd[] = R"()) AS found)";
constexpr char kFilters[] = R"(
         AND ($2::text IS NULL OR name ILIKE $2)
         AND ($3::text IS NULL OR grams(name) @> grams($3))
         AND ($4::text IS NULL OR round(price, 2) >= $4::numeric)
         AND ($5::text IS NULL OR round(price, 2) <= $5::numeric)
         AND ($6::integer IS NULL OR )";

constexpr char kAfterId[] = "id > $6)";
constexpr char kAfterPrice[] = "(round(price, 2), id) > ($7::text::numeric, $6))";
constexpr char kBeforePrice[] = "(round(price, 2), id) < ($7::text::numeric, $6))";
constexpr char kAfterName[] = "(left(name, 256), id) > ($7::text, $6))";
constexpr char kBeforeName[] = "(left(name, 256), id) < ($7::text, $6))";

constexpr char kById[] = R"(
       ORDER BY id LIMIT $8 + 1)";
constexpr char kByPrice[] = R"(
       ORDER BY round(price, 2), id LIMIT $8 + 1)";
constexpr char kByPriceDown[] = R"(
       ORDER BY round(price, 2) DESC, id DESC LIMIT $8 + 1)";
constexpr char kByName[] = R"(
       ORDER BY left(name, 256), id LIMIT $8 + 1)";
constexpr char kByNameDown[] = R"(
       ORDER BY left(name, 256) DESC, id DESC LIMIT $8 + 1)";

template <const auto& After, const auto& Order>
constexpr FilteredList ListInOrder(const char* name) {
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

// Returns whether the term has trigrams, which consist of letters and digits. A character beyond
// ASCII counts as a letter.
bool HasTrigrams(std::string_view term) {
  constexpr unsigned char kFirstOfSeveral = 0xC0;  // The lowest first byte of several in UTF-8.
  return std::ranges::count_if(term, [](unsigned char byte) {
           return std::isalnum(byte) != 0 || byte >= kFirstOfSeveral;
         }) >= 3;
}

const FilteredList& ListSortedBy(std::string_view sort) {
  if (sort == "price") return kListByPrice;
  if (sort == "-price") return kListByPriceDown;
  if (sort == "name") return kListByName;
  if (sort == "-name") return kListByNameDown;
  return kListById;
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
  const bool is_by_id = !query.sort || query.sort->value() == "id";
  if (scope == Scope::kActive && is_by_id && !query.IsSearch() && !query.min_price &&
      !query.max_price && query.Limit() <= kShortPage) {
    return client_.Query(kList, query.after ? query.after->id() : 0, query.Limit());
  }
  std::optional<std::string> pattern;
  std::optional<std::string> short_term;
  if (query.IsSearch()) {
    pattern = query.search->ContainsPattern();
    if (!HasTrigrams(query.search->value())) short_term = query.search->value();
  }
  std::optional<std::int32_t> after_id;
  std::optional<std::string> after_key;
  if (query.after) {
    after_id = query.after->id();
    after_key = query.after->key();
  }
  return client_.Query(ListSortedBy(query.sort ? query.sort->value() : "id"), scope == Scope::kAll,
                       pattern, short_term, query.min_price, query.max_price, after_id, after_key,
                       query.Limit());
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
                 kListByNameDown, kCreate, kUpdate, kDeactivate);
}

}  // namespace cart
