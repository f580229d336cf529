#include "services/cart/src/api/routes.h"
#include "services/customers/client/access.h"

namespace cart {
namespace {

using customers::client::Admin;
using customers::client::Caller;
using customers::client::OwnerOrAdmin;
using customers::client::Ownership;
using platform::Result;
using platform::Task;
using platform::http::Method;
using platform::schema::Page;
using platform::schema::PageQuery;

Task<Result<CartId>> FindCartOf(App& app, const Caller& caller, CheckoutId checkout) {
  return app.checkouts.FindCartOf(checkout, CartId::Unchecked(caller.id));
}

Task<Result<Checkout>> GetCheckout(App& app, const Ownership<CartId>& access, CheckoutId checkout) {
  return app.checkouts.Find(access.owner, checkout);
}

Task<Result<Page<Checkout>>> ListCheckouts(App& app, PageQuery query) {
  return app.checkouts.List(query);
}

}  // namespace

void AddCheckoutRoutes(Routes& routes) {
  const OwnerOrAdmin owner_or_admin{FindCartOf};
  auto checkouts = routes.Group(
      "/api/v1/checkouts", {.name = "checkouts", .description = "Carts that were checked out"});
  checkouts.Add(Method::kGet, "/list/", Admin<App>(), ListCheckouts,
                {.id = "listCheckouts",
                 .summary = "List all checkouts",
                 .description =
                     "The feed for an order system, in an order in which a new checkout always "
                     "follows those that have been listed. To go on later, send the id of the last "
                     "checkout as `after`; the order is not that of the ids."});
  checkouts.Add(Method::kGet, "/{checkout_id}/", owner_or_admin, GetCheckout,
                {.id = "getCheckout",
                 .summary = "Show a checkout",
                 .description = "A checkout never changes."});
}

}  // namespace cart
