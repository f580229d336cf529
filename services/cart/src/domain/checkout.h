#pragma once

#include <boost/describe/class.hpp>
#include <boost/json/object.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "platform/schema/value_type.h"
#include "platform/schema/write.h"
#include "services/cart/src/domain/cart.h"
#include "services/cart/src/domain/money.h"
#include "services/cart/src/domain/product.h"

namespace cart {

class CheckoutId : public platform::schema::ValueType<CheckoutId, std::int32_t> {
 public:
  static void Describe(boost::json::object& schema);
};

struct CheckoutLine {
  ProductId product_id;
  std::optional<std::string> sku;
  std::string name;
  Money price;
  Quantity quantity;
  Money line_total;

  static void Describe(boost::json::object& schema);
};
BOOST_DESCRIBE_STRUCT(CheckoutLine, (), (product_id, sku, name, price, quantity, line_total))

// A cart as it was when its user ordered it. It never changes.
struct Checkout {
  CheckoutId id;
  CartId user_id;
  platform::schema::Timestamp created;
  Money total_price;
  std::vector<CheckoutLine> lines;

  static void Describe(boost::json::object& schema);
};
BOOST_DESCRIBE_STRUCT(Checkout, (), (id, user_id, created, total_price, lines))

}  // namespace cart
