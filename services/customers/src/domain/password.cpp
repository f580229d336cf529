#include "services/customers/src/domain/password.h"

namespace customers {

void Password::Describe(boost::json::object& schema) {
  schema["format"] = "password";
  schema["examples"] = boost::json::array{"testPass123"};
}

void NewPassword::Describe(boost::json::object& schema) { Password::Describe(schema); }

}  // namespace customers
