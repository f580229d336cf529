#include <utility>

#include "services/cart/src/api/routes.h"
#include "services/customers/client/access.h"

namespace cart {
namespace {

using customers::client::Caller;
using customers::client::OwnerOrAdmin;
using customers::client::Ownership;
using platform::ErrorCode;
using platform::Result;
using platform::Tagged;
using platform::Task;
using platform::http::Created;
using platform::http::IfMatch;
using platform::http::Method;

Task<Result<CartId>> FindCart(App& app, const Caller&, CartId cart) { return app.carts.Find(cart); }

Task<Result<CartId>> FindCartOf(App& app, const Caller& caller, CartItemId item) {
  return app.carts.FindCartOf(item, CartId::Unchecked(caller.id));
}

Task<Result<Created<Tagged<Cart>>>> CreateItem(App& app, CartId cart, NewItem item,
                                               IfMatch condition) {
  ASSIGN_OR_CO_RETURN(Tagged<Cart> filled,
                      co_await app.carts.AddItem(cart, item, std::move(condition.tags)));
  co_return Created{std::move(filled)};
}

Task<Result<Tagged<Cart>>> ChangeItem(App& app, const Ownership<CartId>& access, CartItemId item,
                                      ItemChange change, IfMatch condition) {
  return app.carts.ChangeItem(access.owner, item, change, std::move(condition.tags));
}

Task<Result<void>> RemoveItem(App& app, const Ownership<CartId>& access, CartItemId item,
                              IfMatch condition) {
  return app.carts.RemoveItem(access.owner, item, std::move(condition.tags));
}

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
