#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "platform/schema/value_type.h"

namespace cart {

// An amount of money as a decimal text with two places: "199.98". PostgreSQL does the arithmetic.
class Money : public platform::schema::ValueType<Money, std::string> {
 public:
  static std::optional<std::string_view> Check(const std::string&) { return std::nullopt; }
  static void Describe(boost::json::object& schema) {
    schema["pattern"] = R"(^-?\d+\.\d{2}$)";
    schema["examples"] = boost::json::array{"199.98"};
  }
};

}  // namespace cart
