#include "platform/schema/describe.h"

namespace platform::schema {

boost::json::object Reference(std::string_view name) {
  return {{"$ref", "#/components/schemas/" + std::string(name)}};
}

boost::json::object& Property(boost::json::object& schema, std::string_view name) {
  return schema.at("properties").as_object().at(name).as_object();
}

}  // namespace platform::schema
