#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "platform/base/result.h"
#include "platform/base/tagged.h"
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

  // The entity tags of which a cart must have one, or "*" for any, before it is written to.
  // Otherwise kPreconditionFailed is returned and nothing is changed. Nothing stands for no
  // condition.
  using ExpectedTags = std::optional<std::vector<std::string>>;

  // Returns kNotFound if the cart does not exist. A deleted user's cart does not exist for any of
  // these functions.
  Reply<CartId> Find(CartId cart);
  // Creates an empty cart, with two more statements, if the cart does not exist.
  Reply<platform::Tagged<Cart>> FindOrCreate(CartId cart);
  // Returns an empty cart, without creating it, if the cart does not exist.
  Reply<platform::Tagged<Cart>> ReadOrEmpty(CartId cart);
  // Removes all items. Returns kNotFound if the cart does not exist.
  Reply<void> Clear(CartId cart, ExpectedTags expected);

  // Returns the cart of an item, or kNotFound if the item does not exist. If the item is not in the
  // likely cart, a second statement looks in all carts.
  Reply<CartId> FindCartOf(CartItemId item, CartId likely);
  // Returns the cart with the new item. Returns kInvalidArgument if the product is in the cart
  // already or cannot be bought, and kNotFound if the cart does not exist.
  Reply<platform::Tagged<Cart>> AddItem(CartId cart, NewItem item, ExpectedTags expected);
  // Returns the cart, or kNotFound if it does not have the item.
  Reply<platform::Tagged<Cart>> ChangeItem(CartId cart, CartItemId item, ItemChange change,
                                           ExpectedTags expected);
  // Returns kNotFound if the cart does not have the item.
  Reply<void> RemoveItem(CartId cart, CartItemId item, ExpectedTags expected);

  // The following functions create a cart that does not exist.

  // Sets the quantity of a product. Returns kInvalidArgument if the product cannot be bought.
  Reply<platform::Tagged<Cart>> PutProduct(CartId cart, ProductId product, QuantityOrNone quantity,
                                           ExpectedTags expected);
  // Adds to the quantity of a product. Returns kInvalidArgument if the product cannot be bought, or
  // the quantity would be too large.
  Reply<platform::Tagged<Cart>> AddProduct(CartId cart, ProductId product, Quantity quantity,
                                           ExpectedTags expected);
  // Merges a guest's cart: the larger quantity of each product counts.
  Reply<platform::Tagged<MergedCart>> Merge(CartId cart, GuestCart guest, ExpectedTags expected);

  // Looks at the next 1,000 carts after one, and removes the items of those that nobody has written
  // to for so many days. It waits for no lock, and does nothing while another replica is at work.
  // Returns the last of these carts, or nothing if there are no more.
  Reply<std::optional<CartId>> Expire(CartId after, std::int32_t days);

  // Returns all statements that the store executes.
  static std::vector<platform::postgres::StatementText> Statements();

 private:
  Reply<platform::Tagged<Cart>> Read(CartId cart);

  platform::postgres::Client& client_;
};

}  // namespace cart
