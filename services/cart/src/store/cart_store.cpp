#include "services/cart/src/store/cart_store.h"

#include <boost/describe/class.hpp>
#include <cstddef>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
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

// The condition with which a function reports that there is no such cart or item.
constexpr std::string_view kNoDataFound = "P0002";

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

// The functions that write, and the view that they return, are in the migrations. Each function
// locks the cart first, so its answer is a state that the cart was in.
constexpr Statement<CartId, CartId> kFind{
    "find_cart", Lane::kKeyRead, "SELECT user_id FROM carts WHERE user_id = $1 AND NOT erased"};

constexpr Statement<CartRow, CartId> kRead{"read_cart", Lane::kKeyRead, R"(
SELECT user_id, total_price, id, created, product_id, quantity
FROM cart_lines
WHERE user_id = $1
ORDER BY id)"};

constexpr Statement<void, CartId> kCreate{
    "create_cart", Lane::kWrite, "INSERT INTO carts (user_id) VALUES ($1) ON CONFLICT DO NOTHING"};

constexpr Statement<void, CartId> kClear{"clear_cart", Lane::kWrite, "SELECT clear_cart($1, NULL)"};

constexpr Statement<CartId, CartItemId> kFindCartOf{"find_cart_of_item", Lane::kKeyRead,
                                                    "SELECT cart_id FROM cartitems WHERE id = $1"};

constexpr Statement<CartRow, CartId, ProductId, Quantity> kAddItem{"add_item", Lane::kWrite, R"(
SELECT user_id, total_price, id, created, product_id, quantity
FROM add_item($1, $2, $3, NULL)
ORDER BY id)"};

constexpr Statement<CartRow, CartItemId, Quantity> kChangeItem{"change_item", Lane::kWrite, R"(
SELECT user_id, total_price, id, created, product_id, quantity
FROM change_item($1, $2, NULL)
ORDER BY id)"};

constexpr Statement<void, CartItemId> kRemoveItem{"remove_item", Lane::kWrite,
                                                  "SELECT remove_item($1, NULL)"};

// `rows` must not be empty.
Cart ToCart(const std::vector<CartRow>& rows) {
  Cart cart{.user_id = rows.front().user_id, .total_price = rows.front().total_price};
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

// Returns why a function refused to write.
Error Refusal(const QueryError& error) {
  if (error.sqlstate == kNoDataFound) return Error::NotFound();
  if (error.Violates("uq__cartitems__cart_id_product_id")) {
    return Error::Field(ErrorCode::kInvalidArgument, "product_id",
                        "The product is already in cart. Please change the product or just update "
                        "it's quantity.");
  }
  if (error.Violates("fk__cartitems__product_id__products")) {
    return Error::Field(ErrorCode::kInvalidArgument, "non_field_errors",
                        "Failed to add this product to cart.");
  }
  return Logged(error);
}

Result<Cart> Written(const std::expected<std::vector<CartRow>, QueryError>& rows) {
  if (!rows) return std::unexpected(Refusal(rows.error()));
  return ToCart(*rows);
}

Result<void> Written(const std::expected<std::size_t, QueryError>& done) {
  if (!done) return std::unexpected(Refusal(done.error()));
  return {};
}

}  // namespace

CartStore::Reply<CartId> CartStore::Find(CartId cart) {
  co_return OrNotFound(co_await client_.QueryOne(kFind, cart));
}

CartStore::Reply<Cart> CartStore::Read(CartId cart) {
  ASSIGN_OR_CO_RETURN(const auto rows, OrNotFound(co_await client_.Query(kRead, cart)));
  co_return ToCart(rows);
}

CartStore::Reply<Cart> CartStore::FindOrCreate(CartId cart) {
  Result<Cart> found = co_await Read(cart);
  if (found || found.error().code != ErrorCode::kNotFound) co_return found;
  CO_RETURN_IF_ERROR(Logged(co_await client_.Execute(kCreate, cart)));
  co_return co_await Read(cart);
}

CartStore::Reply<void> CartStore::Clear(CartId cart) {
  co_return Written(co_await client_.Execute(kClear, cart));
}

CartStore::Reply<CartId> CartStore::FindCartOf(CartItemId item) {
  co_return OrNotFound(co_await client_.QueryOne(kFindCartOf, item));
}

CartStore::Reply<Cart> CartStore::AddItem(CartId cart, NewItem item) {
  co_return Written(co_await client_.Query(kAddItem, cart, item.product_id, item.quantity));
}

CartStore::Reply<Cart> CartStore::ChangeItem(CartItemId item, ItemChange change) {
  co_return Written(co_await client_.Query(kChangeItem, item, change.quantity));
}

CartStore::Reply<void> CartStore::RemoveItem(CartItemId item) {
  co_return Written(co_await client_.Execute(kRemoveItem, item));
}

std::vector<StatementText> CartStore::Statements() {
  return TextsOf(kFind, kRead, kCreate, kClear, kFindCartOf, kAddItem, kChangeItem, kRemoveItem);
}

}  // namespace cart
