#include "services/customers/src/domain/recovery.h"

#include <boost/json/array.hpp>

#include "platform/schema/describe.h"

namespace customers {

void RecoveryCode::Describe(boost::json::object& schema) {
  boost::json::object& code = platform::schema::Property(schema, "code");
  code["description"] = "Hand it to the user; it cannot be shown again.";
  code["pattern"] = "^[0-9a-f]{32}$";
  code["examples"] = boost::json::array{"5b0c1f4d7a9e2c83d6e1f0a4b7c95d28"};
  platform::schema::Property(schema, "expires")["description"] = "The code is void from then on.";
}

}  // namespace customers
