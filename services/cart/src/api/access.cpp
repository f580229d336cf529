#include "services/cart/src/api/access.h"

#include <utility>

namespace cart {
namespace {

using customers::client::Caller;
using platform::Error;
using platform::ErrorCode;
using platform::Result;
using platform::Task;
using platform::http::AccessDescription;
using platform::http::Request;

Task<Result<Caller>> Authenticate(App& app, const Request& request) {
  const auto header = request.Header("Authorization");
  if (!header) {
    co_return std::unexpected(Error::PermissionDenied("Invalid authorization header"));
  }
  Result<Caller> caller = co_await app.validator.Validate(
      *header, {.request_id = request.id, .traceparent = request.trace.traceparent()});
  if (caller) request.NoteUser(caller->id);
  co_return caller;
}

Result<Authorized> Permit(Caller caller, CartId cart) {
  if (caller.id != cart.value() && !caller.is_admin) {
    return std::unexpected(
        Error::PermissionDenied("You do not have permission to perform this action."));
  }
  return Authorized{std::move(caller)};
}

}  // namespace

AccessDescription CartOwnerOrAdmin::Describe() {
  return {.needs_token = true, .errors = {ErrorCode::kPermissionDenied}};
}

Task<Result<Authorized>> CartOwnerOrAdmin::operator()(App& app, const Request& request,
                                                      CartId cart) const {
  ASSIGN_OR_CO_RETURN(Caller caller, co_await Authenticate(app, request));
  co_return Permit(std::move(caller), cart);
}

AccessDescription ExistingCartOwnerOrAdmin::Describe() { return CartOwnerOrAdmin::Describe(); }

Task<Result<Authorized>> ExistingCartOwnerOrAdmin::operator()(App& app, const Request& request,
                                                              CartId cart) const {
  ASSIGN_OR_CO_RETURN(Caller caller, co_await Authenticate(app, request));
  ASSIGN_OR_CO_RETURN(const CartId found, co_await app.carts.Find(cart));
  co_return Permit(std::move(caller), found);
}

AccessDescription ItemOwnerOrAdmin::Describe() { return CartOwnerOrAdmin::Describe(); }

Task<Result<Authorized>> ItemOwnerOrAdmin::operator()(App& app, const Request& request,
                                                      CartItemId item) const {
  ASSIGN_OR_CO_RETURN(Caller caller, co_await Authenticate(app, request));
  ASSIGN_OR_CO_RETURN(const CartId cart, co_await app.carts.FindCartOf(item));
  co_return Permit(std::move(caller), cart);
}

}  // namespace cart
