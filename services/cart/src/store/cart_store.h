#pragma once

#include <optional>

#include "platform/postgres/client.h"
#include "platform/result/result.h"
#include "platform/runtime/task.h"
#include "services/cart/src/domain/cart.h"

namespace cart {

// The carts in PostgreSQL: each call is one statement, where it says nothing else. For the event
// loop of its client.
class CartStore {
 public:
  template <class T>
  using Reply = platform::Task<platform::Result<T>>;

  explicit CartStore(platform::postgres::Client& client) : client_(client) {}

  Reply<bool> Exists(CartId cart);
  // Creates an empty cart, with two more statements, where there is none.
  Reply<Cart> FindOrCreate(CartId cart);
  // Removes all items. False where there is no cart.
  Reply<bool> Clear(CartId cart);

  // The cart that an item is in; nothing where there is no such item.
  Reply<std::optional<CartId>> FindCartOf(CartItemId item);
  // The cart with the new item. kInvalidArgument where the product is in it already, or is none;
  // kNotFound where the cart is gone.
  Reply<Cart> AddItem(CartId cart, const NewItem& item);
  // The item's cart; nothing where the item is gone.
  Reply<std::optional<Cart>> ChangeItem(CartItemId item, const ItemChange& change);
  // False where the item was gone.
  Reply<bool> RemoveItem(CartItemId item);

 private:
  platform::postgres::Client& client_;
};

}  // namespace cart
