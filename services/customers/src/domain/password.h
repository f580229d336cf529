#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "platform/schema/bounds.h"
#include "platform/schema/value_type.h"

namespace customers {

// A password to be compared with a hash. Long ones are rejected, because hashing them is costly.
class Password
    : public platform::schema::ValueType<Password, std::string, platform::schema::MaxLength<1024>> {
 public:
  static void Describe(boost::json::object& schema);
};

// A password at a login, or the repetition of a new one. As in the reference, it has at least 7
// characters.
class EnteredPassword : public platform::schema::ValueType<EnteredPassword, std::string,
                                                           platform::schema::MinLength<7>,
                                                           platform::schema::MaxLength<1024>> {
 public:
  static void Describe(boost::json::object& schema);
};

// A new password. It is long enough, and it is not one of the most common ones.
class NewPassword : public platform::schema::ValueType<NewPassword, std::string,
                                                       platform::schema::MaxLength<1024>> {
 public:
  static constexpr std::size_t kLeastMinLength = 7;  // The minimum of the reference.

  // Sets the minimum number of characters of new passwords. Call it before other threads check
  // passwords, and before the API is described.
  static void SetMinLength(std::size_t length);

  static std::optional<std::string_view> Check(const std::string& value);
  static void Describe(boost::json::object& schema);
};

}  // namespace customers
