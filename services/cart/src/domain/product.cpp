#include "services/cart/src/domain/product.h"

#include "platform/schema/describe.h"

namespace cart {

std::optional<std::string_view> ProductId::Check(std::int32_t value) {
  if (value >= 0) return std::nullopt;
  return "Must be greater than or equal to 0.";
}

void ProductId::Describe(boost::json::object& schema) {
  schema["minimum"] = 0;
  schema["examples"] = boost::json::array{1};
}

void Product::Describe(boost::json::object& schema) {
  using platform::schema::Property;
  Property(schema, "created")["description"] = "When the product was added to the store.";
  Property(schema, "name")["examples"] = boost::json::array{"Product_1"};
  Property(schema, "description")["examples"] = boost::json::array{"What it is good for."};
}

}  // namespace cart
