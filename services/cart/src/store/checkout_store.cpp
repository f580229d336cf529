#include "services/cart/src/store/checkout_store.h"

#include <boost/describe/class.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/value_to.hpp>
#include <optional>
#include <utility>

namespace cart {
namespace {

using platform::Error;
using platform::ErrorCode;
using platform::Result;
using platform::postgres::KeyedStatement;
using platform::postgres::Lane;
using platform::postgres::Logged;
using platform::postgres::OrNotFound;
using platform::postgres::QueryError;
using platform::postgres::Statement;
using platform::postgres::StatementText;
using platform::postgres::Timestamp;
using platform::schema::PageQuery;

// The condition with which a function reports that there is no such cart.
constexpr std::string_view kNoDataFound = "P0002";

// One line of a checkout.
struct CheckoutRow {
  CheckoutId id;
  CartId user_id;
  Timestamp created;
  Money total_price;
  ProductId product_id;
  std::optional<std::string> sku;
  std::string name;
  Money price;
  Quantity quantity;
  Money line_total;
  bool is_created = false;
};
BOOST_DESCRIBE_STRUCT(CheckoutRow, (),
                      (id, user_id, created, total_price, product_id, sku, name, price, quantity,
                       line_total, is_created))

constexpr Statement<CheckoutRow, CartId, std::vector<std::string>> kCheckOut{"check_out",
                                                                             Lane::kWrite, R"(
SELECT (checkout).id, (checkout).user_id, (checkout).created, (checkout).total_price,
       (checkout).product_id, (checkout).sku, (checkout).name, (checkout).price,
       (checkout).quantity, (checkout).line_total, is_created
FROM check_out($1, $2)
ORDER BY (checkout).number)"};

// Reads look each key up by itself, as those of carts do (cart_store.cpp).
constexpr KeyedStatement<CheckoutRow, CartId, CheckoutId> kFind{"find_checkout", R"(
SELECT wanted.cart, wanted.checkout, id, user_id, created, total_price, product_id, sku, name,
       price, quantity, line_total, false
FROM unnest($1, $2) AS wanted (cart, checkout)
CROSS JOIN LATERAL (
    SELECT * FROM checkout_rows WHERE user_id = wanted.cart AND id = wanted.checkout OFFSET 0
) AS line
ORDER BY wanted.cart, wanted.checkout, number)"};

constexpr KeyedStatement<CartId, CartId, CheckoutId> kFindIn{"find_checkout_of_cart", R"(
SELECT wanted.cart, wanted.checkout, user_id
FROM unnest($1, $2) AS wanted (cart, checkout)
CROSS JOIN LATERAL (
    SELECT user_id FROM checkouts WHERE user_id = wanted.cart AND id = wanted.checkout OFFSET 0
) AS found)"};

// Looks in the checkouts of all carts.
constexpr KeyedStatement<CartId, CheckoutId> kFindCartOf{
    "find_cart_of_checkout", "SELECT id, user_id FROM checkouts WHERE id = ANY ($1)"};

constexpr Statement<CheckoutRow, CartId, std::int32_t, std::int32_t> kListOf{
    "list_checkouts_of_cart", Lane::kSearch, R"(
SELECT id, user_id, created, total_price, product_id, sku, name, price, quantity, line_total, false
FROM checkout_rows
WHERE user_id = $1 AND id IN (
    SELECT id FROM checkouts WHERE user_id = $1 AND id > $2 ORDER BY id LIMIT $3 + 1
)
ORDER BY id, number)"};

constexpr Statement<std::optional<std::int64_t>, std::int32_t> kNumber{
    "number_checkouts", Lane::kWrite, "SELECT number_checkouts($1)"};

constexpr Statement<CheckoutRow, std::int64_t, std::int32_t> kList{"list_checkouts", Lane::kSearch,
                                                                   R"(
SELECT id, user_id, created, total_price, product_id, sku, name, price, quantity, line_total, false
FROM checkout_rows
WHERE id IN (
    SELECT id FROM checkouts WHERE position > $1 ORDER BY position LIMIT $2 + 1
)
ORDER BY position, number)"};

Error Refusal(const QueryError& error) {
  if (error.sqlstate == kNoDataFound) return Error::NotFound();
  if (error.Violates("ck__carts__expected")) return {.code = ErrorCode::kPreconditionFailed};
  if (error.Violates("ck__checkouts__not_empty")) {
    return Error::Field(ErrorCode::kConflict, "cart_items", "The cart is empty.");
  }
  if (error.Violates("ck__checkouts__available")) {
    Error conflict{.code = ErrorCode::kConflict};
    for (const auto& name : boost::json::parse(error.detail).as_array()) {
      conflict.fields["cart_items"].push_back(boost::json::value_to<std::string>(name) +
                                              " is not available in this quantity.");
    }
    return conflict;
  }
  return Logged(error);
}

// The lines of a checkout must stand together.
std::vector<Checkout> ToCheckouts(std::vector<CheckoutRow> rows) {
  std::vector<Checkout> checkouts;
  for (CheckoutRow& row : rows) {
    if (checkouts.empty() || checkouts.back().id != row.id) {
      checkouts.push_back({.id = row.id,
                           .user_id = row.user_id,
                           .created = row.created,
                           .total_price = std::move(row.total_price),
                           .lines = {}});
    }
    checkouts.back().lines.push_back({.product_id = row.product_id,
                                      .sku = std::move(row.sku),
                                      .name = std::move(row.name),
                                      .price = std::move(row.price),
                                      .quantity = row.quantity,
                                      .line_total = std::move(row.line_total)});
  }
  return checkouts;
}

}  // namespace

CheckoutStore::Reply<CheckedOut> CheckoutStore::CheckOut(CartId cart,
                                                         std::vector<std::string> expected) {
  auto rows = co_await client_.Query(kCheckOut, cart, expected);
  if (!rows) co_return std::unexpected(Refusal(rows.error()));
  const bool is_created = rows->front().is_created;
  co_return CheckedOut{.checkout = std::move(ToCheckouts(*std::move(rows)).front()),
                       .is_created = is_created};
}

CheckoutStore::Reply<Checkout> CheckoutStore::Find(CartId cart, CheckoutId checkout) {
  ASSIGN_OR_CO_RETURN(auto rows, OrNotFound(co_await client_.Query(kFind, cart, checkout)));
  co_return std::move(ToCheckouts(std::move(rows)).front());
}

CheckoutStore::Reply<CartId> CheckoutStore::FindCartOf(CheckoutId checkout, CartId likely) {
  ASSIGN_OR_CO_RETURN(const auto found,
                      Logged(co_await client_.QueryOne(kFindIn, likely, checkout)));
  if (found) co_return *found;
  co_return OrNotFound(co_await client_.QueryOne(kFindCartOf, checkout));
}

CheckoutStore::Reply<CheckoutStore::Page> CheckoutStore::ListOf(CartId cart, PageQuery query) {
  const std::int32_t limit = query.Limit();
  ASSIGN_OR_CO_RETURN(auto rows,
                      Logged(co_await client_.Query(kListOf, cart, query.After(), limit)));
  co_return platform::schema::MakePage(ToCheckouts(std::move(rows)), limit);
}

CheckoutStore::Reply<CheckoutStore::Page> CheckoutStore::List(PageQuery query) {
  const std::int32_t limit = query.Limit();
  ASSIGN_OR_CO_RETURN(const auto position,
                      OrNotFound(co_await client_.QueryOne(kNumber, query.After())));
  if (!position) {
    co_return std::unexpected(
        Error::Field(ErrorCode::kUnprocessable, "after", "No checkout has this id."));
  }
  ASSIGN_OR_CO_RETURN(auto rows, Logged(co_await client_.Query(kList, *position, limit)));
  co_return platform::schema::MakePage(ToCheckouts(std::move(rows)), limit);
}

std::vector<StatementText> CheckoutStore::Statements() {
  return TextsOf(kCheckOut, kFind, kFindIn, kFindCartOf, kListOf, kNumber, kList);
}

}  // namespace cart
