#pragma once

#include <boost/describe/class.hpp>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <cstdint>
#include <optional>
#include <string>

#include "platform/schema/bounds.h"
#include "platform/schema/value_type.h"
#include "platform/schema/write.h"
#include "services/customers/src/domain/email.h"
#include "services/customers/src/domain/password.h"

namespace customers {

class UserId : public platform::schema::ValueType<UserId, std::int32_t> {
 public:
  static void Describe(boost::json::object& schema);
};

// A first or last name.
class PersonName : public platform::schema::ValueType<PersonName, std::string,
                                                      platform::schema::Length<1, 256>> {
 public:
  static void Describe(boost::json::object& schema);
};

// An account as it is shown and stored, without its password, which stays in the store.
struct User {
  UserId id;
  platform::schema::Timestamp created;
  Email email;
  std::string first_name;  // May be empty.
  std::string last_name;
  bool is_admin = false;

  static void Describe(boost::json::object& schema);
};
BOOST_DESCRIBE_STRUCT(User, (), (id, created, email, first_name, last_name, is_admin))

struct NewUser {
  Email email;
  NewPassword password;
  std::optional<PersonName> first_name;
  std::optional<PersonName> last_name;
  std::optional<bool> is_admin;

  static constexpr bool kIgnoresUnknownMembers = true;
  static void Describe(boost::json::object& schema);
};
BOOST_DESCRIBE_STRUCT(NewUser, (), (email, password, first_name, last_name, is_admin))

// Missing members stay unchanged.
struct UserChange {
  std::optional<Email> email;
  std::optional<PersonName> first_name;
  std::optional<PersonName> last_name;
  std::optional<bool> is_admin;

  static constexpr bool kIgnoresUnknownMembers = true;
  static void Describe(boost::json::object& schema);
};
BOOST_DESCRIBE_STRUCT(UserChange, (), (email, first_name, last_name, is_admin))

}  // namespace customers
