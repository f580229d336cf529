#include "services/cart/src/domain/cart.h"

#include "services/cart/src/api/routes.h"
#include "services/customers/client/access.h"

namespace cart {
namespace {

using customers::client::OwnerOrAdmin;
using platform::Result;
using platform::Task;
using platform::http::Method;

// The handlers find out whether the cart exists, because here permission is checked before
// existence.
Task<Result<CartId>> FindOwner(App&, CartId cart) { co_return cart; }

Task<Result<Cart>> GetCart(App& app, CartId cart) { return app.carts.FindOrCreate(cart); }

Task<Result<void>> ClearCart(App& app, CartId cart) { return app.carts.Clear(cart); }

}  // namespace

void AddCartRoutes(Routes& routes) {
  const OwnerOrAdmin owner_or_admin{FindOwner};
  auto carts = routes.Group("/api/v1/cart", {.name = "cart", .description = "A user's cart"});
  carts.Add(Method::kGet, "/{user_id}/", owner_or_admin, GetCart,
            {.id = "getCart",
             .summary = "Show a user's cart",
             .description = "Creates an empty cart if the user has none."});
  carts.Add(Method::kDelete, "/{user_id}/", owner_or_admin, ClearCart,
            {.id = "clearCart",
             .summary = "Clear a user's cart",
             .description = "Removes all items; the cart stays."});
}

}  // namespace cart
