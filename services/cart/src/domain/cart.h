#pragma once

#include <boost/describe/class.hpp>
#include <boost/json/object.hpp>
#include <cstdint>
#include <optional>
#include <vector>

#include "platform/schema/bounds.h"
#include "platform/schema/value_type.h"
#include "platform/schema/write.h"
#include "services/cart/src/domain/money.h"
#include "services/cart/src/domain/product.h"

namespace cart {

// The id of a cart, which is also its user's id.
class CartId : public platform::schema::ValueType<CartId, std::int32_t> {
 public:
  static void Describe(boost::json::object& schema);
};

class CartItemId : public platform::schema::ValueType<CartItemId, std::int32_t> {
 public:
  static void Describe(boost::json::object& schema);
};

// The quantity of one product in a cart.
class Quantity
    : public platform::schema::ValueType<Quantity, std::int32_t, platform::schema::Range<1, 5>> {
 public:
  static void Describe(boost::json::object& schema);
};

struct CartItem {
  CartItemId id;
  platform::schema::Timestamp created;
  CartId cart_id;
  ProductId product_id;
  Quantity quantity;

  static void Describe(boost::json::object& schema);
};
BOOST_DESCRIBE_STRUCT(CartItem, (), (id, created, cart_id, product_id, quantity))

struct Cart {
  CartId user_id;
  Money total_price;
  std::vector<CartItem> cart_items;

  static void Describe(boost::json::object& schema);
};
BOOST_DESCRIBE_STRUCT(Cart, (), (user_id, total_price, cart_items))

struct NewItem {
  ProductId product_id;
  Quantity quantity;

  static constexpr bool kIgnoresUnknownMembers = true;
};
BOOST_DESCRIBE_STRUCT(NewItem, (), (product_id, quantity))

struct ItemChange {
  Quantity quantity;

  static constexpr bool kIgnoresUnknownMembers = true;
};
BOOST_DESCRIBE_STRUCT(ItemChange, (), (quantity))

}  // namespace cart
