#include "services/customers/src/domain/user.h"

#include "platform/schema/describe.h"

namespace customers {
namespace {

using platform::schema::Property;

}  // namespace

void UserId::Describe(boost::json::object& schema) { schema["examples"] = boost::json::array{3}; }

void PersonName::Describe(boost::json::object& schema) {
  schema["examples"] = boost::json::array{"Penny"};
}

void User::Describe(boost::json::object& schema) {
  Property(schema, "created")["description"] = "When the account was made.";
  for (const char* name : {"first_name", "last_name"}) {
    Property(schema, name)["description"] = "Empty where none was given.";
  }
  Property(schema, "first_name")["examples"] = boost::json::array{"Penny"};
  Property(schema, "last_name")["examples"] = boost::json::array{"Lane"};
  Property(schema, "is_admin")["description"] = "Whether it is an administrator's.";
}

void NewUser::Describe(boost::json::object& schema) {
  Property(schema, "email")["description"] = "Not yet another account's, whatever its case.";
  for (const char* name : {"first_name", "last_name"}) {
    Property(schema, name)["description"] = "Empty if missing.";
  }
  Property(schema, "is_admin")["description"] =
      "False if missing. Making an administrator takes the token of one.";
  schema["examples"] = boost::json::array{{{"email", "penny@example.com"},
                                           {"password", "testPass123"},
                                           {"first_name", "Penny"},
                                           {"last_name", "Lane"}}};
}

void UserChange::Describe(boost::json::object& schema) {
  schema["description"] = "What is missing stays as it is.";
  Property(schema, "email")["description"] = "Not another account's, whatever its case.";
  Property(schema, "is_admin")["description"] = "Changing it takes an administrator's token.";
  schema["examples"] = boost::json::array{{{"first_name", "Penny"}, {"last_name", "Lane"}}};
}

}  // namespace customers
