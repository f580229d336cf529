#include "services/cart/src/domain/cart.h"

#include "services/cart/src/api/access.h"
#include "services/cart/src/api/routes.h"

namespace cart {
namespace {

using platform::Result;
using platform::Task;
using platform::http::Method;

Task<Result<Cart>> GetCart(App& app, CartId cart) { return app.carts.FindOrCreate(cart); }

Task<Result<void>> ClearCart(App& app, CartId cart) { return app.carts.Clear(cart); }

}  // namespace

void AddCartRoutes(Routes& routes) {
  auto carts = routes.Group("/api/v1/cart", {.name = "cart", .description = "A user's cart"});
  carts.Add(Method::kGet, "/{user_id}/", CartOwnerOrAdmin(), GetCart,
            {.id = "getCart",
             .summary = "Show a user's cart",
             .description = "Creates an empty cart if the user has none."});
  carts.Add(Method::kDelete, "/{user_id}/", CartOwnerOrAdmin(), ClearCart,
            {.id = "clearCart",
             .summary = "Clear a user's cart",
             .description = "Removes all items; the cart stays."});
}

}  // namespace cart
