#include <utility>

#include "services/cart/src/api/access.h"
#include "services/cart/src/api/routes.h"

namespace cart {
namespace {

using platform::ErrorCode;
using platform::Result;
using platform::Task;
using platform::http::Created;
using platform::http::Method;

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
  auto items = routes.Group("/api/v1/cart-item",
                            {.name = "cart-item", .description = "The items of a cart"});
  items.Add(Method::kPost, "/{cart_id}/create", ExistingCartOwnerOrAdmin(), CreateItem,
            {.id = "createCartItem",
             .summary = "Put a product into a cart",
             .description = "Each product can be in a cart once, in a quantity of 1 to 5.",
             .errors = {ErrorCode::kInvalidArgument}});
  items.Add(Method::kPatch, "/{item_id}/", ItemOwnerOrAdmin(), ChangeItem,
            {.id = "updateCartItem",
             .summary = "Change an item's quantity",
             .description = "Returns the item's cart."});
  items.Add(Method::kDelete, "/{item_id}/", ItemOwnerOrAdmin(), RemoveItem,
            {.id = "deleteCartItem",
             .summary = "Remove an item",
             .description = "The cart's other items stay unchanged."});
}

}  // namespace cart
