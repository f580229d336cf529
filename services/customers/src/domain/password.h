#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "platform/schema/value_type.h"

namespace customers {

// A password as somebody gives it to be checked. Long ones are refused: hashing them is costly.
class Password : public platform::schema::ValueType<Password, std::string> {
 public:
  static std::optional<std::string_view> Check(const std::string& value);
  static void Describe(boost::json::object& schema);
};

// A password to be set: also long enough.
class NewPassword : public platform::schema::ValueType<NewPassword, std::string> {
 public:
  static std::optional<std::string_view> Check(const std::string& value);
  static void Describe(boost::json::object& schema);
};

}  // namespace customers
