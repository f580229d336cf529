#include "services/cart/src/domain/checkout.h"

#include "platform/schema/describe.h"

namespace cart {
namespace {

using platform::schema::Property;

}  // namespace

void CheckoutId::Describe(boost::json::object& schema) {
  schema["examples"] = boost::json::array{3};
}

void CheckoutLine::Describe(boost::json::object& schema) {
  Property(schema, "sku") = {
      {"type", {"string", "null"}},
      {"description", "The product's SKU at that time; null if it had none."},
      {"examples", {"MUG-01"}}};
  schema["required"].as_array().emplace_back("sku");
  Property(schema, "name")["examples"] = boost::json::array{"Product_1"};
}

void Checkout::Describe(boost::json::object& schema) {
  Property(schema, "created")["description"] = "Time at which the cart was checked out.";
  Property(schema, "lines")["description"] = "In the order in which they were in the cart.";
}

}  // namespace cart
