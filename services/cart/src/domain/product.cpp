#include "services/cart/src/domain/product.h"

#include "platform/schema/describe.h"

namespace cart {

void ProductId::Describe(boost::json::object& schema) {
  schema["examples"] = boost::json::array{1};
}

void Product::Describe(boost::json::object& schema) {
  using platform::schema::Property;
  Property(schema, "created")["description"] = "Time at which the product was added to the store.";
  Property(schema, "name")["examples"] = boost::json::array{"Product_1"};
  Property(schema, "description")["examples"] = boost::json::array{"What it is good for."};
}

}  // namespace cart
