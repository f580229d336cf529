#pragma once

#include <boost/json/object.hpp>
#include <expected>
#include <string>
#include <string_view>

#include "platform/schema/value_type.h"

namespace cart {

// An amount of money: an exact decimal number with two places, as text, such as "199.98". Clients
// may send 0 to 9999999999.99. The reference's database and totals may have amounts outside of this
// range. PostgreSQL does the arithmetic and rounds to two places.
class Money : public platform::schema::ValueType<Money, std::string> {
 public:
  static constexpr std::string_view kNoText = "Not a valid price.";
  // Accepts up to ten digits, and up to two more after a decimal point; "5" becomes "5.00".
  static std::expected<Money, std::string_view> Parse(std::string_view text);
  static void Describe(boost::json::object& schema);
};

}  // namespace cart
