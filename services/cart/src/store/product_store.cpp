#include "services/cart/src/store/product_store.h"

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cart {
namespace {

using platform::Result;
using platform::Task;
using platform::postgres::Lane;
using platform::postgres::Logged;
using platform::postgres::Planning;
using platform::postgres::QueryError;
using platform::postgres::Statement;
using platform::postgres::StatementText;
using platform::schema::ListQuery;
using platform::schema::Page;

constexpr Statement<Product, ProductId> kFind{"find_product", Lane::kKeyRead, R"(
SELECT id, created, name, description, round(price, 2)::text
FROM products
WHERE id = $1)"};

constexpr Statement<Product, std::int32_t, std::int32_t> kList{"list_products", Lane::kKeyRead, R"(
SELECT id, created, name, description, round(price, 2)::text
FROM products
WHERE id > $1
ORDER BY id
LIMIT $2 + 1)"};

// A page of more rows takes long, so it is sent in the lane of searches.
constexpr std::int32_t kShortPage = 100;
constexpr auto kListMany = kList.In(Lane::kSearch);

constexpr Statement<Product, std::string, std::int32_t, std::int32_t> kSearch{"search_products",
                                                                              Lane::kSearch, R"(
SELECT id, created, name, description, round(price, 2)::text
FROM products
WHERE name ILIKE $1 AND id > $2
ORDER BY id
LIMIT $3 + 1)",
                                                                              Planning::kEachCall};

// Returns the same rows as kSearch for any term, but is faster for a term without trigrams.
constexpr Statement<Product, std::string, std::string, std::int32_t, std::int32_t> kSearchShort{
    "search_products_short", Lane::kSearch, R"(
SELECT id, created, name, description, round(price, 2)::text
FROM products
WHERE grams(name) @> grams($1) AND name ILIKE $2 AND id > $3
ORDER BY id
LIMIT $4 + 1)",
    Planning::kEachCall};

// Returns whether the term has trigrams, which consist of letters and digits. A character beyond
// ASCII counts as a letter.
bool HasTrigrams(std::string_view term) {
  constexpr unsigned char kFirstOfSeveral = 0xC0;  // The lowest first byte of several in UTF-8.
  return std::ranges::count_if(term, [](unsigned char byte) {
           return std::isalnum(byte) != 0 || byte >= kFirstOfSeveral;
         }) >= 3;
}

}  // namespace

Task<Result<Product>> ProductStore::Find(ProductId product) {
  co_return OrNotFound(co_await client_.QueryOne(kFind, product));
}

Task<Result<Page<Product>>> ProductStore::List(ListQuery query) {
  ASSIGN_OR_CO_RETURN(auto rows, Logged(co_await Fetch(query)));
  co_return platform::schema::MakePage(std::move(rows), query.Limit());
}

Task<std::expected<std::vector<Product>, QueryError>> ProductStore::Fetch(const ListQuery& query) {
  if (!query.IsSearch()) {
    return client_.Query(query.Limit() <= kShortPage ? kList : kListMany, query.After(),
                         query.Limit());
  }
  if (HasTrigrams(query.search->value())) {
    return client_.Query(kSearch, query.search->ContainsPattern(), query.After(), query.Limit());
  }
  return client_.Query(kSearchShort, query.search->value(), query.search->ContainsPattern(),
                       query.After(), query.Limit());
}

std::vector<StatementText> ProductStore::Statements() {
  return TextsOf(kFind, kList, kSearch, kSearchShort);
}

}  // namespace cart
