#include "services/customers/src/domain/session.h"

#include <boost/json/array.hpp>

#include "platform/schema/describe.h"

namespace customers {

using platform::schema::Property;

void SessionId::Describe(boost::json::object& schema) {
  schema["examples"] = boost::json::array{28512345};
}

void Session::Describe(boost::json::object& schema) {
  Property(schema, "created")["description"] = "The time of the login.";
  Property(schema, "expires")["description"] = "The time when the session ends by itself.";
  Property(schema, "client")["description"] = "The address that the login came from.";
  Property(schema, "client")["examples"] = boost::json::array{"203.0.113.7"};
  Property(schema, "user_agent")["description"] =
      "The User-Agent header of the login, shortened; empty if there was none.";
  Property(schema, "user_agent")["examples"] = boost::json::array{"Mozilla/5.0"};
  Property(schema, "is_current")["description"] = "Whether the request's token belongs to it.";
}

}  // namespace customers
