#include "services/cart/src/domain/cart.h"

#include "platform/schema/describe.h"

namespace cart {
namespace {

using platform::schema::Property;

}  // namespace

void CartId::Describe(boost::json::object& schema) {
  schema["description"] = "The id of the cart, which is also its user's id.";
  schema["examples"] = boost::json::array{3};
}

void CartItemId::Describe(boost::json::object& schema) {
  schema["examples"] = boost::json::array{3};
}

void Quantity::Describe(boost::json::object& schema) { schema["examples"] = boost::json::array{2}; }

void QuantityOrNone::Describe(boost::json::object& schema) {
  schema["description"] = "0 removes the product.";
  schema["examples"] = boost::json::array{2};
}

void CartItem::Describe(boost::json::object& schema) {
  Property(schema, "created")["description"] = "Time at which the product was put into the cart.";
  Property(schema, "name")["examples"] = boost::json::array{"Product_1"};
  Property(schema, "price")["description"] = "The product's present price.";
  Property(schema, "is_available")["description"] =
      "Whether the product is on sale, and in stock in this quantity.";
}

void Cart::Describe(boost::json::object& schema) {
  Property(schema, "total_price")["description"] = "The sum of the available items' `line_total`.";
  Property(schema, "cart_items")["description"] = "In the order of their ids.";
}

void MergedCart::Describe(boost::json::object& schema) {
  Property(schema, "skipped")["description"] =
      "The products that could not be put into the cart, in the order of their ids.";
}

void ProductAddition::Describe(boost::json::object& schema) {
  Property(schema, "quantity")["default"] = 1;
}

}  // namespace cart
