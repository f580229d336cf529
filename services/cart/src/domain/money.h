#pragma once

#include <boost/json/object.hpp>
#include <expected>
#include <string>
#include <string_view>

#include "platform/schema/value_type.h"

namespace cart {

// An amount of money: an exact decimal number with two places, as text: "199.98". From clients it
// is 0 to 9999999999.99; the database of the reference may hold, and totals may reach, amounts
// outside of that. PostgreSQL does the arithmetic and rounds to two places.
class Money : public platform::schema::ValueType<Money, std::string> {
 public:
  // Accepts up to ten digits, and up to two more after a point: "5" becomes "5.00".
  static std::expected<Money, std::string_view> Parse(std::string_view text);
  static void Describe(boost::json::object& schema);
};

}  // namespace cart
