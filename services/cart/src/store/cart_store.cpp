#include "services/cart/src/store/cart_store.h"

#include <algorithm>
#include <boost/describe/class.hpp>
#include <expected>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace cart {
namespace {

using platform::Error;
using platform::ErrorCode;
using platform::Result;
using platform::postgres::Lane;
using platform::postgres::Logged;
using platform::postgres::OrNotFound;
using platform::postgres::QueryError;
using platform::postgres::Statement;
using platform::postgres::StatementText;
using platform::postgres::Timestamp;

// One item of a cart, or only the cart if it is empty. Each row carries the cart's total.
struct CartRow {
  CartId user_id;
  Money total_price;
  std::optional<CartItemId> id;
  std::optional<Timestamp> created;
  std::optional<ProductId> product_id;
  std::optional<Quantity> quantity;
};
BOOST_DESCRIBE_STRUCT(CartRow, (), (user_id, total_price, id, created, product_id, quantity))

constexpr Statement<CartId, CartId> kFind{"find_cart", Lane::kKeyRead,
                                          "SELECT user_id FROM carts WHERE user_id = $1"};

constexpr Statement<CartRow, CartId> kRead{"read_cart", Lane::kKeyRead, R"(
SELECT carts.user_id,
       round(coalesce(sum(item.quantity * product.price) OVER (), 0), 2)::text,
       item.id, item.created, item.product_id, item.quantity::int
FROM carts
LEFT JOIN cartitems AS item ON item.cart_id = carts.user_id
LEFT JOIN products AS product ON product.id = item.product_id
WHERE carts.user_id = $1
ORDER BY item.id)"};

constexpr Statement<void, CartId> kCreate{
    "create_cart", Lane::kWrite, "INSERT INTO carts (user_id) VALUES ($1) ON CONFLICT DO NOTHING"};

constexpr Statement<CartId, CartId> kClear{"clear_cart", Lane::kWrite, R"(
WITH removed AS (DELETE FROM cartitems WHERE cart_id = $1)
SELECT user_id FROM carts WHERE user_id = $1)"};

constexpr Statement<CartId, CartItemId> kFindCartOf{"find_cart_of_item", Lane::kKeyRead,
                                                    "SELECT cart_id FROM cartitems WHERE id = $1"};

// The union is necessary because a statement sees the table as it was before its own write.
constexpr Statement<CartRow, CartId, ProductId, Quantity> kAddItem{"add_item", Lane::kWrite, R"(
WITH added AS (
  INSERT INTO cartitems (cart_id, product_id, quantity)
  VALUES ($1, $2, $3)
  RETURNING id, created, cart_id, product_id, quantity
), item AS (
  SELECT id, created, cart_id, product_id, quantity FROM cartitems WHERE cart_id = $1
  UNION ALL
  SELECT id, created, cart_id, product_id, quantity FROM added
)
SELECT item.cart_id,
       round(sum(item.quantity * product.price) OVER (), 2)::text,
       item.id, item.created, item.product_id, item.quantity::int
FROM item
JOIN products AS product ON product.id = item.product_id
ORDER BY item.id)"};

constexpr Statement<CartRow, CartItemId, Quantity> kChangeItem{"change_item", Lane::kWrite, R"(
WITH changed AS (
  UPDATE cartitems
  SET quantity = $2
  WHERE id = $1
  RETURNING id, created, cart_id, product_id, quantity
), item AS (
  SELECT id, created, cart_id, product_id, quantity
  FROM cartitems
  WHERE cart_id = (SELECT cart_id FROM changed) AND id <> $1
  UNION ALL
  SELECT id, created, cart_id, product_id, quantity FROM changed
)
SELECT item.cart_id,
       round(sum(item.quantity * product.price) OVER (), 2)::text,
       item.id, item.created, item.product_id, item.quantity::int
FROM item
JOIN products AS product ON product.id = item.product_id
ORDER BY item.id)"};

constexpr Statement<void, CartItemId> kRemoveItem{"remove_item", Lane::kWrite,
                                                  "DELETE FROM cartitems WHERE id = $1"};

// `rows` must not be empty.
Cart ToCart(std::vector<CartRow> rows) {
  Cart cart{.user_id = rows.front().user_id, .total_price = std::move(rows.front().total_price)};
  if (!rows.front().id) return cart;
  cart.cart_items.reserve(rows.size());
  for (const CartRow& row : rows) {
    cart.cart_items.push_back({.id = *row.id,
                               .created = *row.created,
                               .cart_id = row.user_id,
                               .product_id = *row.product_id,
                               .quantity = *row.quantity});
  }
  return cart;
}

Error AddError(const QueryError& error) {
  if (error.Violates("uq__cartitems__cart_id_product_id")) {
    return Error::Field(ErrorCode::kInvalidArgument, "product_id",
                        "The product is already in cart. Please change the product or just update "
                        "it's quantity.");
  }
  if (error.Violates("fk__cartitems__product_id__products")) {
    return Error::Field(ErrorCode::kInvalidArgument, "non_field_errors",
                        "Failed to add this product to cart.");
  }
  if (error.Violates("fk__cartitems__cart_id__carts")) return Error::NotFound();
  return Logged(error);
}

}  // namespace

CartStore::Reply<CartId> CartStore::Find(CartId cart) {
  co_return OrNotFound(co_await client_.QueryOne(kFind, cart));
}

CartStore::Reply<Cart> CartStore::Read(CartId cart) {
  ASSIGN_OR_CO_RETURN(auto rows, OrNotFound(co_await client_.Query(kRead, cart)));
  co_return ToCart(std::move(rows));
}

CartStore::Reply<Cart> CartStore::FindOrCreate(CartId cart) {
  Result<Cart> found = co_await Read(cart);
  if (found || found.error().code != ErrorCode::kNotFound) co_return found;
  CO_RETURN_IF_ERROR(Logged(co_await client_.Execute(kCreate, cart)));
  co_return co_await Read(cart);
}

CartStore::Reply<void> CartStore::Clear(CartId cart) {
  CO_RETURN_IF_ERROR(OrNotFound(co_await client_.QueryOne(kClear, cart)));
  co_return Result<void>();
}

CartStore::Reply<CartId> CartStore::FindCartOf(CartItemId item) {
  co_return OrNotFound(co_await client_.QueryOne(kFindCartOf, item));
}

CartStore::Reply<Cart> CartStore::AddItem(CartId cart, NewItem item) {
  auto rows = co_await client_.Query(kAddItem, cart, item.product_id, item.quantity);
  if (!rows) co_return std::unexpected(AddError(rows.error()));
  // The foreign key accepts a product that was created while the statement ran, but the statement
  // itself does not see that product.
  if (std::ranges::find(*rows, item.product_id, &CartRow::product_id) == rows->end()) {
    co_return co_await Read(cart);
  }
  co_return ToCart(*std::move(rows));
}

CartStore::Reply<Cart> CartStore::ChangeItem(CartItemId item, ItemChange change) {
  ASSIGN_OR_CO_RETURN(auto rows,
                      OrNotFound(co_await client_.Query(kChangeItem, item, change.quantity)));
  co_return ToCart(std::move(rows));
}

CartStore::Reply<void> CartStore::RemoveItem(CartItemId item) {
  co_return OrNotFound(co_await client_.Execute(kRemoveItem, item));
}

std::vector<StatementText> CartStore::Statements() {
  return TextsOf(kFind, kRead, kCreate, kClear, kFindCartOf, kAddItem, kChangeItem, kRemoveItem);
}

}  // namespace cart
