#pragma once

#include <vector>

#include "platform/base/result.h"
#include "platform/base/task.h"
#include "platform/postgres/client.h"
#include "services/cart/src/domain/cart.h"

namespace cart {

// The carts in PostgreSQL: each call is one statement, where it says nothing else. For the event
// loop of its client.
class CartStore {
 public:
  template <class T>
  using Reply = platform::Task<platform::Result<T>>;

  explicit CartStore(platform::postgres::Client& client) : client_(client) {}

  // kNotFound where there is no cart.
  Reply<CartId> Find(CartId cart);
  // Creates an empty cart, with two more statements, where there is none.
  Reply<Cart> FindOrCreate(CartId cart);
  // Removes all items. kNotFound where there is no cart.
  Reply<void> Clear(CartId cart);

  // The cart that an item is in; kNotFound where there is no such item.
  Reply<CartId> FindCartOf(CartItemId item);
  // The cart with the new item. kInvalidArgument where the product is in it already, or is none;
  // kNotFound where the cart is gone. Reads the cart with one more statement where the product was
  // made at the same time.
  Reply<Cart> AddItem(CartId cart, NewItem item);
  // The item's cart; kNotFound where the item is gone.
  Reply<Cart> ChangeItem(CartItemId item, ItemChange change);
  // kNotFound where the item was gone.
  Reply<void> RemoveItem(CartItemId item);

  // All that it executes.
  static std::vector<platform::postgres::StatementText> Statements();

 private:
  Reply<Cart> Read(CartId cart);

  platform::postgres::Client& client_;
};

}  // namespace cart
