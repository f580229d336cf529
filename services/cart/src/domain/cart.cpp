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

void CartItem::Describe(boost::json::object& schema) {
  Property(schema, "created")["description"] = "Time at which the product was put into the cart.";
}

void Cart::Describe(boost::json::object& schema) {
  Property(schema, "total_price")["description"] = "The sum of price times quantity.";
  Property(schema, "cart_items")["description"] = "In the order of their ids.";
}

}  // namespace cart
