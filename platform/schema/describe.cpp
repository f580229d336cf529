#include "platform/schema/describe.h"

namespace platform::schema {

boost::json::object Reference(std::string_view name) {
  return {{"$ref", "#/components/schemas/" + std::string(name)}};
}

}  // namespace platform::schema
