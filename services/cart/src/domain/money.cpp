#include "services/cart/src/domain/money.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <cstddef>

namespace cart {
namespace {

constexpr std::size_t kMaxUnitDigits = 10;
constexpr std::size_t kCentDigits = 2;

bool IsDigits(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

std::expected<Money, std::string_view> Money::Parse(std::string_view text) {
  const std::size_t point = text.find('.');
  std::string_view units = text.substr(0, point);
  const bool has_point = point != std::string_view::npos;
  const std::string_view cents = has_point ? text.substr(point + 1) : "0";
  const bool is_good = IsDigits(units) && units.size() <= kMaxUnitDigits && IsDigits(cents) &&
                       cents.size() <= kCentDigits;
  if (!is_good) return std::unexpected(kNoText);

  // Each amount has exactly one spelling.
  units.remove_prefix(std::min(units.find_first_not_of('0'), units.size() - 1));
  std::string amount(units);
  amount += '.';
  amount += cents;
  amount.append(kCentDigits - cents.size(), '0');
  return Unchecked(std::move(amount));
}

void Money::Describe(boost::json::object& schema) {
  schema["pattern"] = R"(^-?\d+\.\d{2}$)";
  schema["examples"] = boost::json::array{"199.98"};
}

}  // namespace cart
