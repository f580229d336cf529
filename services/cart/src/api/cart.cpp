#include "services/cart/src/domain/cart.h"

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
using platform::http::CreatedOrFound;
using platform::http::IfMatch;
using platform::http::Method;
using platform::http::RequiredIfMatch;
using platform::schema::Page;
using platform::schema::PageQuery;

// The handlers find out whether the cart exists, because here permission is checked before
// existence.
Task<Result<CartId>> FindOwner(App&, const Caller&, CartId cart) { co_return cart; }

Task<Result<Tagged<Cart>>> GetCart(App& app, const Ownership<CartId>& access, CartId cart) {
  return access.caller.id == cart.value() ? app.carts.FindOrCreate(cart)
                                          : app.carts.ReadOrEmpty(cart);
}

Task<Result<void>> ClearCart(App& app, CartId cart, IfMatch condition) {
  return app.carts.Clear(cart, std::move(condition.tags));
}

Task<Result<Tagged<Cart>>> PutProduct(App& app, CartId cart, ProductId product, ProductQuantity put,
                                      IfMatch condition) {
  return app.carts.PutProduct(cart, product, put.quantity, std::move(condition.tags));
}

Task<Result<Tagged<Cart>>> AddProduct(App& app, CartId cart, ProductId product,
                                      ProductAddition addition, IfMatch condition) {
  return app.carts.AddProduct(cart, product, addition.quantity.value_or(Quantity::Unchecked(1)),
                              std::move(condition.tags));
}

Task<Result<Tagged<MergedCart>>> MergeCart(App& app, CartId cart, GuestCart guest,
                                           IfMatch condition) {
  return app.carts.Merge(cart, std::move(guest), std::move(condition.tags));
}

Task<Result<CreatedOrFound<Checkout>>> CheckOut(App& app, CartId cart, RequiredIfMatch condition) {
  ASSIGN_OR_CO_RETURN(CheckedOut done,
                      co_await app.checkouts.CheckOut(cart, std::move(condition.tags)));
  co_return CreatedOrFound<Checkout>{std::move(done.checkout), done.is_created};
}

Task<Result<Page<Checkout>>> ListCheckouts(App& app, CartId cart, PageQuery query) {
  return app.checkouts.ListOf(cart, query);
}

}  // namespace

void AddCartRoutes(Routes& routes) {
  const OwnerOrAdmin owner_or_admin{FindOwner};
  auto carts = routes.Group("/api/v1/cart", {.name = "cart", .description = "A user's cart"});
  carts.Add(Method::kGet, "/{user_id}/", owner_or_admin, GetCart,
            {.id = "getCart",
             .summary = "Show a user's cart",
             .description = "Creates an empty cart if the user has none, unless an administrator "
                            "asks for another user's cart."});
  carts.Add(Method::kDelete, "/{user_id}/", owner_or_admin, ClearCart,
            {.id = "clearCart",
             .summary = "Clear a user's cart",
             .description = "Removes all items; the cart stays."});
  carts.Add(Method::kPut, "/{user_id}/products/{product_id}/", owner_or_admin, PutProduct,
            {.id = "putProduct",
             .summary = "Set a product's quantity",
             .description = "0 removes the product. Creates the cart if the user has none.",
             .errors = {ErrorCode::kInvalidArgument}});
  carts.Add(Method::kPost, "/{user_id}/products/{product_id}/add/", owner_or_admin, AddProduct,
            {.id = "addProduct",
             .summary = "Add to a product's quantity",
             .description = "A quantity can reach 5. Creates the cart if the user has none.",
             .errors = {ErrorCode::kInvalidArgument}});
  carts.Add(Method::kPost, "/{user_id}/merge/", owner_or_admin, MergeCart,
            {.id = "mergeCart",
             .summary = "Merge a guest's cart",
             .description =
                 "Of each product the larger quantity stays, so a repetition changes nothing. "
                 "Products that cannot be bought are skipped. Creates the cart if the user has "
                 "none."});
  carts.Add(Method::kPost, "/{user_id}/checkout/", owner_or_admin, CheckOut,
            {.id = "checkOut",
             .summary = "Check a cart out",
             .description =
                 "Makes a checkout of the cart in the state that `If-Match` names, takes the "
                 "quantities from the counted stocks and empties the cart, all or nothing: 201. A "
                 "repetition with the same `If-Match` returns the same checkout: 200. If the cart "
                 "is empty, or lines are not available, nothing happens: 409.",
             .errors = {ErrorCode::kConflict}});
  carts.Add(Method::kGet, "/{user_id}/checkouts/", owner_or_admin, ListCheckouts,
            {.id = "listCartCheckouts",
             .summary = "List a user's checkouts",
             .description = "In the order of their ids, page by page."});
}

}  // namespace cart
