#include "services/cart/src/store/cart_store.h"

#include <algorithm>
#include <boost/describe/class.hpp>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "platform/log/log.h"

namespace cart {
namespace {

using platform::Error;
using platform::ErrorCode;
using platform::Result;
using platform::Tagged;
using platform::postgres::KeyedStatement;
using platform::postgres::Lane;
using platform::postgres::Logged;
using platform::postgres::OrNotFound;
using platform::postgres::QueryError;
using platform::postgres::Statement;
using platform::postgres::StatementText;
using platform::postgres::Timestamp;
using ExpectedTags = CartStore::ExpectedTags;

// The condition with which a function reports that there is no such cart or item.
constexpr std::string_view kNoDataFound = "P0002";

// A quantity that no item can have.
constexpr std::int32_t kTooMany = 6;

// One item of a cart, or only the cart if it is empty. Each row carries the cart's total and tag.
struct CartRow {
  CartId user_id;
  Money total_price;
  std::string etag;
  std::optional<CartItemId> id;
  std::optional<Timestamp> created;
  std::optional<ProductId> product_id;
  std::optional<Quantity> quantity;
  std::optional<std::string> name;
  std::optional<Money> price;
  std::optional<Money> line_total;
  std::optional<bool> is_available;
};
BOOST_DESCRIBE_STRUCT(CartRow, (),
                      (user_id, total_price, etag, id, created, product_id, quantity, name, price,
                       line_total, is_available))

// The same, with the products that were not merged.
struct MergedRow {
  CartId user_id;
  Money total_price;
  std::string etag;
  std::optional<CartItemId> id;
  std::optional<Timestamp> created;
  std::optional<ProductId> product_id;
  std::optional<Quantity> quantity;
  std::optional<std::string> name;
  std::optional<Money> price;
  std::optional<Money> line_total;
  std::optional<bool> is_available;
  std::vector<std::int32_t> skipped;
};
BOOST_DESCRIBE_STRUCT(MergedRow, (),
                      (user_id, total_price, etag, id, created, product_id, quantity, name, price,
                       line_total, is_available, skipped))

// The functions that write, and the view that they return, are in the migrations. Each function
// locks the cart first, so its answer is a state that the cart was in.
//
// Carts may be spread over partitions or servers by their id (docs/scaling.md, "Shards"). So
// statements name the cart. Reads look each key up in a lateral subquery, because `= ANY ($1)`
// would look everywhere; OFFSET 0 stops the planner from turning the subquery into a join.
constexpr KeyedStatement<CartId, CartId> kFind{"find_cart", R"(
SELECT wanted.cart, user_id
FROM unnest($1) AS wanted (cart)
CROSS JOIN LATERAL (
    SELECT user_id FROM carts WHERE user_id = wanted.cart AND NOT erased OFFSET 0
) AS found)"};

constexpr KeyedStatement<CartRow, CartId> kRead{"read_cart", R"(
SELECT line.*
FROM unnest($1) AS wanted (cart)
CROSS JOIN LATERAL (
    SELECT user_id AS cart, user_id, total_price, etag, id, created, product_id, quantity, name,
           price, line_total, is_available
    FROM cart_lines
    WHERE user_id = wanted.cart
    OFFSET 0
) AS line
ORDER BY cart, id)"};

// No cart counts as an empty one at version 0.
constexpr KeyedStatement<CartRow, CartId> kReadOrEmpty{"read_cart_or_empty", R"(
SELECT line.*
FROM unnest($1) AS wanted (cart)
CROSS JOIN LATERAL (
    SELECT user_id AS cart, user_id, total_price, etag, id, created, product_id, quantity, name,
           price, line_total, is_available
    FROM cart_lines
    WHERE user_id = wanted.cart
    OFFSET 0
) AS line
UNION ALL
SELECT wanted.cart, wanted.cart, '0.00', '"0-0"', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
FROM unnest($1) AS wanted (cart)
WHERE NOT EXISTS (SELECT FROM carts WHERE user_id = wanted.cart OFFSET 0)
ORDER BY cart, id)"};

constexpr Statement<void, CartId> kCreate{
    "create_cart", Lane::kWrite, "INSERT INTO carts (user_id) VALUES ($1) ON CONFLICT DO NOTHING"};

constexpr Statement<void, CartId, ExpectedTags> kClear{"clear_cart", Lane::kWrite,
                                                       "SELECT clear_cart($1, $2)"};

constexpr KeyedStatement<CartId, CartId, CartItemId> kFindItem{"find_item", R"(
SELECT wanted.cart, wanted.item, cart_id
FROM unnest($1, $2) AS wanted (cart, item)
CROSS JOIN LATERAL (
    SELECT cart_id FROM cartitems WHERE cart_id = wanted.cart AND id = wanted.item OFFSET 0
) AS found)"};

// Looks in all carts.
constexpr KeyedStatement<CartId, CartItemId> kFindCartOf{
    "find_cart_of_item", "SELECT id, cart_id FROM cartitems WHERE id = ANY ($1)"};

constexpr Statement<CartRow, CartId, ProductId, Quantity, ExpectedTags> kAddItem{"add_item",
                                                                                 Lane::kWrite, R"(
SELECT user_id, total_price, etag, id, created, product_id, quantity, name, price, line_total,
       is_available
FROM add_item($1, $2, $3, $4)
ORDER BY id)"};

constexpr Statement<CartRow, CartId, CartItemId, Quantity, ExpectedTags> kChangeItem{
    "change_item", Lane::kWrite, R"(
SELECT user_id, total_price, etag, id, created, product_id, quantity, name, price, line_total,
       is_available
FROM change_item($1, $2, $3, $4)
ORDER BY id)"};

constexpr Statement<void, CartId, CartItemId, ExpectedTags> kRemoveItem{
    "remove_item", Lane::kWrite, "SELECT remove_item($1, $2, $3)"};

constexpr Statement<CartRow, CartId, ProductId, QuantityOrNone, ExpectedTags> kPutProduct{
    "put_product", Lane::kWrite, R"(
SELECT user_id, total_price, etag, id, created, product_id, quantity, name, price, line_total,
       is_available
FROM put_product($1, $2, $3, $4)
ORDER BY id)"};

constexpr Statement<CartRow, CartId, ProductId, Quantity, ExpectedTags> kAddProduct{
    "add_product", Lane::kWrite, R"(
SELECT user_id, total_price, etag, id, created, product_id, quantity, name, price, line_total,
       is_available
FROM add_product($1, $2, $3, $4)
ORDER BY id)"};

constexpr Statement<MergedRow, CartId, std::vector<std::int32_t>, std::vector<std::int32_t>,
                    ExpectedTags>
    kMerge{"merge_products", Lane::kWrite, R"(
SELECT (line).user_id, (line).total_price, (line).etag, (line).id, (line).created,
       (line).product_id, (line).quantity, (line).name, (line).price, (line).line_total,
       (line).is_available, skipped
FROM merge_products($1, $2, $3, $4)
ORDER BY (line).id)"};

constexpr std::int32_t kExpiryBatch = 1000;

struct ExpiredRow {
  std::optional<CartId> last_cart;
  std::int32_t emptied = 0;
};
BOOST_DESCRIBE_STRUCT(ExpiredRow, (), (last_cart, emptied))

constexpr Statement<ExpiredRow, CartId, std::int32_t, std::int32_t> kExpire{
    "expire_carts", Lane::kWrite, "SELECT last_cart, emptied FROM expire_carts($1, $2, $3)"};

// `rows` must not be empty.
template <class Row>
Tagged<Cart> ToCart(std::vector<Row> rows) {
  Tagged<Cart> cart{.value = {.user_id = rows.front().user_id,
                              .total_price = std::move(rows.front().total_price)},
                    .tag = std::move(rows.front().etag)};
  if (!rows.front().id) return cart;
  cart.value.cart_items.reserve(rows.size());
  for (Row& row : rows) {
    cart.value.cart_items.push_back({.id = *row.id,
                                     .created = *row.created,
                                     .cart_id = row.user_id,
                                     .product_id = *row.product_id,
                                     .quantity = *row.quantity,
                                     .name = *std::move(row.name),
                                     .price = *std::move(row.price),
                                     .line_total = *std::move(row.line_total),
                                     .is_available = *row.is_available});
  }
  return cart;
}

// Returns why a function refused to write.
Error Refusal(const QueryError& error) {
  if (error.sqlstate == kNoDataFound) return Error::NotFound();
  if (error.Violates("ck__carts__expected")) return {.code = ErrorCode::kPreconditionFailed};
  if (error.Violates("uq__cartitems__cart_id_product_id")) {
    return Error::Field(ErrorCode::kInvalidArgument, "product_id",
                        "The product is already in cart. Please change the product or just update "
                        "it's quantity.");
  }
  if (error.Violates("fk__cartitems__product_id__products")) {
    return Error::Field(ErrorCode::kInvalidArgument, "non_field_errors",
                        "Failed to add this product to cart.");
  }
  if (error.Violates("ck__cartitems__quantity")) {
    return Error::Field(ErrorCode::kInvalidArgument, "quantity", *Quantity::Check(kTooMany));
  }
  return Logged(error);
}

Result<Tagged<Cart>> Written(std::expected<std::vector<CartRow>, QueryError> rows) {
  if (!rows) return std::unexpected(Refusal(rows.error()));
  return ToCart(*std::move(rows));
}

Result<void> Written(const std::expected<std::size_t, QueryError>& done) {
  if (!done) return std::unexpected(Refusal(done.error()));
  return {};
}

}  // namespace

CartStore::Reply<CartId> CartStore::Find(CartId cart) {
  co_return OrNotFound(co_await client_.QueryOne(kFind, cart));
}

CartStore::Reply<Tagged<Cart>> CartStore::Read(CartId cart) {
  ASSIGN_OR_CO_RETURN(auto rows, OrNotFound(co_await client_.Query(kRead, cart)));
  co_return ToCart(std::move(rows));
}

CartStore::Reply<Tagged<Cart>> CartStore::ReadOrEmpty(CartId cart) {
  ASSIGN_OR_CO_RETURN(auto rows, OrNotFound(co_await client_.Query(kReadOrEmpty, cart)));
  co_return ToCart(std::move(rows));
}

CartStore::Reply<Tagged<Cart>> CartStore::FindOrCreate(CartId cart) {
  Result<Tagged<Cart>> found = co_await Read(cart);
  if (found || found.error().code != ErrorCode::kNotFound) co_return found;
  CO_RETURN_IF_ERROR(Logged(co_await client_.Execute(kCreate, cart)));
  co_return co_await Read(cart);
}

CartStore::Reply<void> CartStore::Clear(CartId cart, ExpectedTags expected) {
  co_return Written(co_await client_.Execute(kClear, cart, expected));
}

CartStore::Reply<CartId> CartStore::FindCartOf(CartItemId item, CartId likely) {
  ASSIGN_OR_CO_RETURN(const auto found, Logged(co_await client_.QueryOne(kFindItem, likely, item)));
  if (found) co_return *found;
  co_return OrNotFound(co_await client_.QueryOne(kFindCartOf, item));
}

CartStore::Reply<Tagged<Cart>> CartStore::AddItem(CartId cart, NewItem item,
                                                  ExpectedTags expected) {
  co_return Written(
      co_await client_.Query(kAddItem, cart, item.product_id, item.quantity, expected));
}

CartStore::Reply<Tagged<Cart>> CartStore::ChangeItem(CartId cart, CartItemId item,
                                                     ItemChange change, ExpectedTags expected) {
  co_return Written(co_await client_.Query(kChangeItem, cart, item, change.quantity, expected));
}

CartStore::Reply<void> CartStore::RemoveItem(CartId cart, CartItemId item, ExpectedTags expected) {
  co_return Written(co_await client_.Execute(kRemoveItem, cart, item, expected));
}

CartStore::Reply<Tagged<Cart>> CartStore::PutProduct(CartId cart, ProductId product,
                                                     QuantityOrNone quantity,
                                                     ExpectedTags expected) {
  co_return Written(co_await client_.Query(kPutProduct, cart, product, quantity, expected));
}

CartStore::Reply<Tagged<Cart>> CartStore::AddProduct(CartId cart, ProductId product,
                                                     Quantity quantity, ExpectedTags expected) {
  co_return Written(co_await client_.Query(kAddProduct, cart, product, quantity, expected));
}

CartStore::Reply<Tagged<MergedCart>> CartStore::Merge(CartId cart, GuestCart guest,
                                                      ExpectedTags expected) {
  std::vector<std::int32_t> products;
  std::vector<std::int32_t> quantities;
  for (const GuestItem& item : guest.items.items) {
    products.push_back(item.product_id.value());
    quantities.push_back(item.quantity.value());
  }
  auto rows = co_await client_.Query(kMerge, cart, products, quantities, expected);
  if (!rows) co_return std::unexpected(Refusal(rows.error()));
  Tagged<MergedCart> merged;
  std::ranges::transform(rows->front().skipped, std::back_inserter(merged.value.skipped),
                         ProductId::Unchecked);
  Tagged<Cart> cart_now = ToCart(*std::move(rows));
  merged.value.cart = std::move(cart_now.value);
  merged.tag = std::move(cart_now.tag);
  co_return merged;
}

CartStore::Reply<std::optional<CartId>> CartStore::Expire(CartId after, std::int32_t days) {
  ASSIGN_OR_CO_RETURN(const ExpiredRow expired,
                      OrNotFound(co_await client_.QueryOne(kExpire, after, kExpiryBatch, days)));
  if (expired.emptied > 0) {
    platform::log::Info("old carts emptied", {{"carts", expired.emptied}});
  }
  co_return expired.last_cart;
}

std::vector<StatementText> CartStore::Statements() {
  return TextsOf(kFind, kRead, kReadOrEmpty, kCreate, kClear, kFindItem, kFindCartOf, kAddItem,
                 kChangeItem, kRemoveItem, kPutProduct, kAddProduct, kMerge, kExpire);
}

}  // namespace cart
