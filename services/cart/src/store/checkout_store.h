#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "platform/base/result.h"
#include "platform/base/task.h"
#include "platform/postgres/client.h"
#include "platform/schema/paging.h"
#include "services/cart/src/domain/cart.h"
#include "services/cart/src/domain/checkout.h"

namespace cart {

// A checkout, and whether it was created by this call.
struct CheckedOut {
  Checkout checkout;
  bool is_created = false;
};

// The checkouts in PostgreSQL. Each call is one statement unless its comment says otherwise.
// Belongs to the event loop of its client.
class CheckoutStore {
 public:
  template <class T>
  using Reply = platform::Task<platform::Result<T>>;
  using Page = platform::schema::Page<Checkout>;

  explicit CheckoutStore(platform::postgres::Client& client) : client_(client) {}

  // Makes a checkout of a cart in the state that one of the tags names, takes its lines from the
  // stocks and empties it. If that state has been checked out already, returns that checkout.
  // Errors, which change nothing: kNotFound if the cart does not exist, kPreconditionFailed if it
  // is in another state, kConflict if it is empty or some of its lines are not available.
  Reply<CheckedOut> CheckOut(CartId cart, std::vector<std::string> expected);

  // Returns kNotFound if the cart has no such checkout.
  Reply<Checkout> Find(CartId cart, CheckoutId checkout);
  // Returns the cart that was checked out, or kNotFound if the checkout does not exist. If it is
  // not the likely one, a second statement looks in the checkouts of all carts.
  Reply<CartId> FindCartOf(CheckoutId checkout, CartId likely);
  // Returns a page of a cart's checkouts in the order of their ids.
  Reply<Page> ListOf(CartId cart, platform::schema::PageQuery query);
  // Returns a page of all checkouts, in two statements. A checkout that is committed later than
  // another one that has been returned follows it. Returns kUnprocessable if `after` is no
  // checkout.
  Reply<Page> List(platform::schema::PageQuery query);

  // Returns all statements that the store executes.
  static std::vector<platform::postgres::StatementText> Statements();

 private:
  platform::postgres::Client& client_;
};

}  // namespace cart
