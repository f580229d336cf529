#pragma once

#include <boost/describe/class.hpp>
#include <boost/json/object.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "platform/schema/bounds.h"
#include "platform/schema/field.h"
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

// The same, or 0 for none.
class QuantityOrNone : public platform::schema::ValueType<QuantityOrNone, std::int32_t,
                                                          platform::schema::Range<0, 5>> {
 public:
  static void Describe(boost::json::object& schema);
};

struct CartItem {
  CartItemId id;
  platform::schema::Timestamp created;
  CartId cart_id;
  ProductId product_id;
  Quantity quantity;
  std::string name;
  Money price;
  Money line_total;
  bool is_available = false;

  static void Describe(boost::json::object& schema);
};
BOOST_DESCRIBE_STRUCT(CartItem, (),
                      (id, created, cart_id, product_id, quantity, name, price, line_total,
                       is_available))

struct Cart {
  CartId user_id;
  Money total_price;
  std::vector<CartItem> cart_items;

  static void Describe(boost::json::object& schema);
};
BOOST_DESCRIBE_STRUCT(Cart, (), (user_id, total_price, cart_items))

// A cart into which another has been merged.
struct MergedCart {
  Cart cart;
  std::vector<ProductId> skipped;

  static void Describe(boost::json::object& schema);
};
BOOST_DESCRIBE_STRUCT(MergedCart, (), (cart, skipped))

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

struct ProductQuantity {
  QuantityOrNone quantity;
};
BOOST_DESCRIBE_STRUCT(ProductQuantity, (), (quantity))

struct ProductAddition {
  std::optional<Quantity> quantity;

  static void Describe(boost::json::object& schema);
};
BOOST_DESCRIBE_STRUCT(ProductAddition, (), (quantity))

struct GuestItem {
  ProductId product_id;
  Quantity quantity;
};
BOOST_DESCRIBE_STRUCT(GuestItem, (), (product_id, quantity))

// The cart that a browser keeps for a guest.
struct GuestCart {
  platform::schema::List<GuestItem, 100> items;
};
BOOST_DESCRIBE_STRUCT(GuestCart, (), (items))

}  // namespace cart
