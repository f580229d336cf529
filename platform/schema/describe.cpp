#include "platform/schema/describe.h"

namespace platform::schema {

boost::json::object Reference(std::string_view name) {
  return {{"$ref", "#/components/schemas/" + std::string(name)}};
}

boost::json::object& Property(boost::json::object& schema, std::string_view name) {
  return schema.at("properties").as_object().at(name).as_object();
}

void AllowNull(boost::json::object& schema) {
  boost::json::value& type = schema.at("type");
  if (type.is_string()) type = boost::json::array{type.as_string()};
  type.as_array().emplace_back("null");
}

void RequireNullable(boost::json::object& schema, std::string_view name) {
  AllowNull(Property(schema, name));
  schema.at("required").as_array().emplace_back(name);
}

}  // namespace platform::schema
