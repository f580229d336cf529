#pragma once

#include <boost/describe/class.hpp>
#include <boost/json/array.hpp>
#include <optional>
#include <string>

#include "platform/schema/bounds.h"
#include "platform/schema/describe.h"
#include "platform/schema/parse.h"
#include "platform/schema/text.h"
#include "services/customers/src/domain/password.h"

// Bodies of requests that have no type in the domain.
namespace customers {

struct LoginRequest {
  std::string email;  // Any text: old accounts may have an email that is no Email.
  EnteredPassword password;

  static constexpr bool kIgnoresUnknownMembers = true;
  static void Describe(boost::json::object& schema) {
    boost::json::object& email = platform::schema::Property(schema, "email");
    email["description"] = "In any spelling: its case does not matter, for example.";
    email["examples"] = boost::json::array{"nonadmin3@email.com"};
  }
};
BOOST_DESCRIBE_STRUCT(LoginRequest, (), (email, password))

// A change of another user's password, for which an administrator need not know the current one.
struct PasswordChange {
  std::optional<Password> current_password;
  NewPassword new_password;
  EnteredPassword confirm_new_password;

  static constexpr bool kIgnoresUnknownMembers = true;

  void Check(platform::FieldErrors& errors) const {
    using platform::schema::ToNfc;
    if (ToNfc(new_password.value()) != ToNfc(confirm_new_password.value())) {
      errors["confirm_new_password"] = {"The two password fields didn't match."};
    }
  }

  static void Describe(boost::json::object& schema) {
    using platform::schema::Property;
    Property(schema, "current_password")["description"] =
        "Required for changing one's own password.";
    Property(schema, "confirm_new_password")["description"] = "Must equal `new_password`.";
    schema["examples"] = boost::json::array{{{"current_password", "testPass123"},
                                             {"new_password", "better than before"},
                                             {"confirm_new_password", "better than before"}}};
  }
};
BOOST_DESCRIBE_STRUCT(PasswordChange, (), (current_password, new_password, confirm_new_password))

// A change of one's own password, which requires the current one.
struct OwnPasswordChange {
  Password current_password;
  NewPassword new_password;
  EnteredPassword confirm_new_password;

  static constexpr bool kIgnoresUnknownMembers = true;

  void Check(platform::FieldErrors& errors) const { AsChange().Check(errors); }
  PasswordChange AsChange() const { return {current_password, new_password, confirm_new_password}; }
};
BOOST_DESCRIBE_STRUCT(OwnPasswordChange, (), (current_password, new_password, confirm_new_password))

// A recovery code as a client sends it. A text that cannot be a code is answered like a wrong code.
class GuessedCode : public platform::schema::ValueType<GuessedCode, std::string,
                                                       platform::schema::MaxLength<256>> {
 public:
  static void Describe(boost::json::object& schema) {
    schema["examples"] = boost::json::array{"5b0c1f4d7a9e2c83d6e1f0a4b7c95d28"};
  }
};

struct Recovery {
  GuessedCode code;
  NewPassword new_password;
  EnteredPassword confirm_new_password;

  void Check(platform::FieldErrors& errors) const {
    PasswordChange{{}, new_password, confirm_new_password}.Check(errors);
  }

  static void Describe(boost::json::object& schema) {
    platform::schema::Property(schema, "confirm_new_password")["description"] =
        "The same as `new_password`.";
    schema["examples"] = boost::json::array{{{"code", "5b0c1f4d7a9e2c83d6e1f0a4b7c95d28"},
                                             {"new_password", "better than before"},
                                             {"confirm_new_password", "better than before"}}};
  }
};
BOOST_DESCRIBE_STRUCT(Recovery, (), (code, new_password, confirm_new_password))

}  // namespace customers
