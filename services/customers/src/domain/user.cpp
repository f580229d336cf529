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
  Property(schema, "created")["description"] = "Time of the account's creation.";
  for (const char* name : {"first_name", "last_name"}) {
    Property(schema, name)["description"] = "Empty if none was given.";
  }
  Property(schema, "first_name")["examples"] = boost::json::array{"Penny"};
  Property(schema, "last_name")["examples"] = boost::json::array{"Lane"};
  Property(schema, "is_admin")["description"] = "Whether the account is an administrator's.";
}

void NewUser::Describe(boost::json::object& schema) {
  Property(schema, "email")["description"] = "Must not belong to another account, in any spelling.";
  for (const char* name : {"first_name", "last_name"}) {
    Property(schema, name)["description"] = "Empty if missing.";
  }
  Property(schema, "is_admin")["description"] =
      "False if missing. Creating an administrator requires an administrator's token.";
  schema["examples"] = boost::json::array{{{"email", "penny@example.com"},
                                           {"password", "testPass123"},
                                           {"first_name", "Penny"},
                                           {"last_name", "Lane"}}};
}

void UserChange::Describe(boost::json::object& schema) {
  schema["description"] = "Missing fields stay unchanged.";
  Property(schema, "email")["description"] = "Must not belong to another account, in any spelling.";
  Property(schema, "is_admin")["description"] = "Changing it requires an administrator's token.";
  schema["examples"] = boost::json::array{{{"first_name", "Penny"}, {"last_name", "Lane"}}};
}

}  // namespace customers
