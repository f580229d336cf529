#pragma once

#include <vector>

#include "platform/base/result.h"
#include "platform/base/task.h"
#include "platform/postgres/client.h"
#include "services/cart/src/domain/cart.h"

namespace cart {

// The carts in PostgreSQL. Each call is one statement unless its comment says otherwise. Every cart
// that is returned is a state that it was in. Belongs to the event loop of its client.
class CartStore {
 public:
  template <class T>
  using Reply = platform::Task<platform::Result<T>>;

  explicit CartStore(platform::postgres::Client& client) : client_(client) {}

  // Returns kNotFound if the cart does not exist.
  Reply<CartId> Find(CartId cart);
  // Creates an empty cart, with two more statements, if the cart does not exist.
  Reply<Cart> FindOrCreate(CartId cart);
  // Removes all items. Returns kNotFound if the cart does not exist.
  Reply<void> Clear(CartId cart);

  // Returns the cart of an item, or kNotFound if the item does not exist.
  Reply<CartId> FindCartOf(CartItemId item);
  // Returns the cart with the new item. Returns kInvalidArgument if the product is in the cart
  // already or does not exist, and kNotFound if the cart does not exist.
  Reply<Cart> AddItem(CartId cart, NewItem item);
  // Returns the item's cart, or kNotFound if the item does not exist.
  Reply<Cart> ChangeItem(CartItemId item, ItemChange change);
  // Returns kNotFound if the item does not exist.
  Reply<void> RemoveItem(CartItemId item);

  // Returns all statements that the store executes.
  static std::vector<platform::postgres::StatementText> Statements();

 private:
  Reply<Cart> Read(CartId cart);

  platform::postgres::Client& client_;
};

}  // namespace cart
