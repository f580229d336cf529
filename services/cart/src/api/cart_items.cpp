#include <utility>

#include "services/cart/src/api/routes.h"
#include "services/customers/client/access.h"

namespace cart {
namespace {

using customers::client::OwnerOrAdmin;
using platform::ErrorCode;
using platform::Result;
using platform::Task;
using platform::http::Created;
using platform::http::Method;

Task<Result<CartId>> FindCart(App& app, CartId cart) { return app.carts.Find(cart); }
Task<Result<CartId>> FindCartOf(App& app, CartItemId item) { return app.carts.FindCartOf(item); }

Task<Result<Created<Cart>>> CreateItem(App& app, CartId cart, NewItem item) {
  ASSIGN_OR_CO_RETURN(Cart filled, co_await app.carts.AddItem(cart, item));
  co_return Created{std::move(filled)};
}

Task<Result<Cart>> ChangeItem(App& app, CartItemId item, ItemChange change) {
  return app.carts.ChangeItem(item, change);
}

Task<Result<void>> RemoveItem(App& app, CartItemId item) { return app.carts.RemoveItem(item); }

}  // namespace

void AddCartItemRoutes(Routes& routes) {
  const OwnerOrAdmin cart_owner_or_admin{FindCart};
  const OwnerOrAdmin item_owner_or_admin{FindCartOf};
  auto items = routes.Group("/api/v1/cart-item",
                            {.name = "cart-item", .description = "The items of a cart"});
  items.Add(Method::kPost, "/{cart_id}/create", cart_owner_or_admin, CreateItem,
            {.id = "createCartItem",
             .summary = "Put a product into a cart",
             .description = "Each product can be in a cart once, in a quantity of 1 to 5.",
             .errors = {ErrorCode::kInvalidArgument}});
  items.Add(Method::kPatch, "/{item_id}/", item_owner_or_admin, ChangeItem,
            {.id = "updateCartItem",
             .summary = "Change an item's quantity",
             .description = "Returns the item's cart."});
  items.Add(Method::kDelete, "/{item_id}/", item_owner_or_admin, RemoveItem,
            {.id = "deleteCartItem",
             .summary = "Remove an item",
             .description = "The cart's other items stay unchanged."});
}

}  // namespace cart
