#pragma once

#include "platform/http/router.h"
#include "services/cart/src/app.h"
#include "services/customers/client/caller.h"
#include "services/cart/src/domain/cart.h"

// Who may call an endpoint of cart. All of these need a token of the cart's owner or of an
// administrator; they differ in what the path names, and in what is told of carts that are not
// there.
namespace cart {

// The caller of a request that was let in.
struct Authorized {
  customers::client::Caller caller;
};

// `/cart/{user_id}/`: permission comes before existence, which the handler finds out.
struct CartOwnerOrAdmin {
  using Grant = Authorized;
  static platform::http::AccessDescription Describe();
  platform::Task<platform::Result<Grant>> operator()(App& app,
                                                     const platform::http::Request& request,
                                                     CartId cart) const;
};

// `/cart-item/{cart_id}/…`: 404 where there is no such cart.
struct ExistingCartOwnerOrAdmin {
  using Grant = Authorized;
  static platform::http::AccessDescription Describe();
  platform::Task<platform::Result<Grant>> operator()(App& app,
                                                     const platform::http::Request& request,
                                                     CartId cart) const;
};

// `/cart-item/{item_id}/`: 404 where there is no such item.
struct ItemOwnerOrAdmin {
  using Grant = Authorized;
  static platform::http::AccessDescription Describe();
  platform::Task<platform::Result<Grant>> operator()(App& app,
                                                     const platform::http::Request& request,
                                                     CartItemId item) const;
};

}  // namespace cart
