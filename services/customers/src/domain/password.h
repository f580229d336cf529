#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "platform/schema/value_type.h"

namespace customers {

// A password to be compared with a hash. Long ones are rejected, because hashing them is costly.
class Password : public platform::schema::ValueType<Password, std::string> {
 public:
  static std::optional<std::string_view> Check(const std::string& value);
  static void Describe(boost::json::object& schema);
};

// A password to be set, which must also be long enough.
class NewPassword : public platform::schema::ValueType<NewPassword, std::string> {
 public:
  static std::optional<std::string_view> Check(const std::string& value);
  static void Describe(boost::json::object& schema);
};

}  // namespace customers
