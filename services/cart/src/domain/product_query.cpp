#include "services/cart/src/domain/product_query.h"

#include <algorithm>
#include <array>
#include <boost/json/array.hpp>
#include <charconv>
#include <system_error>
#include <utility>

#include "platform/schema/describe.h"
#include "platform/schema/field.h"
#include "platform/schema/parse.h"
#include "platform/schema/text.h"
#include "platform/security/base64.h"

namespace cart {
namespace {

using platform::schema::AfterId;
using platform::schema::Property;

constexpr std::array<std::string_view, 5> kSorts{"id", "price", "-price", "name", "-name"};
constexpr std::string_view kNoPosition = "Not a position in this list.";

// Begins the text of a position in a list with `sort`.
constexpr char kMark = '~';
// PostgreSQL sorts by this many characters of a name (see the index ix__products__name).
constexpr std::size_t kSortedCharacters = 256;
// A longer number is no price of any product, and PostgreSQL might refuse it.
constexpr std::size_t kMaxPriceDigits = 1000;

bool IsPrice(std::string_view text) {
  return !text.empty() && text.size() <= kMaxPriceDigits && text.front() != '.' &&
         text.back() != '.' && std::ranges::count(text, '.') <= 1 &&
         text.find_first_not_of("0123456789.") == std::string_view::npos;
}

// The sort's key: "id", "price" or "name".
std::string_view KeyOf(std::string_view sort) {
  if (sort.starts_with('-')) sort.remove_prefix(1);
  return sort;
}

// Returns the text up to `end`, and removes both from the front of `rest`.
std::string_view Take(std::string_view& rest, char end) {
  const std::string_view taken = rest.substr(0, rest.find(end));
  rest.remove_prefix(std::min(rest.size(), taken.size() + 1));
  return taken;
}

}  // namespace

std::optional<std::string_view> ProductSort::Check(std::string_view value) {
  if (std::ranges::find(kSorts, value) != kSorts.end()) return std::nullopt;
  return "Must be one of: id, price, -price, name, -name.";
}

void ProductSort::Describe(boost::json::object& schema) {
  schema["enum"] = boost::json::array(kSorts.begin(), kSorts.end());
  schema["default"] = "id";
  schema["description"] =
      "Order of the list. Products of the same price or name are in the order of their ids, or in "
      "the opposite order with `-`. Names are ordered as the database orders texts.";
}

std::expected<ProductPosition, std::string_view> ProductPosition::Parse(std::string text) {
  ProductPosition position = Unchecked(std::move(text));
  if (!position.value().starts_with(kMark)) {
    const auto id = platform::schema::CheckInteger<AfterId>(
        platform::schema::ReadInteger(boost::json::value(position.value())));
    if (!id) return std::unexpected(id.error());
    position.id_ = id->value();
    return position;
  }
  const auto bytes =
      platform::security::DecodeBase64Url(std::string_view(position.value()).substr(1));
  if (!bytes || !platform::schema::IsText(*bytes)) return std::unexpected(kNoPosition);
  std::string_view rest = *bytes;
  position.sort_ = Take(rest, ' ');
  const std::string_view id = Take(rest, ' ');
  position.key_ = rest;
  const auto [end, error] = std::from_chars(id.data(), id.data() + id.size(), position.id_);
  if (ProductSort::Check(position.sort_) || error != std::errc() || end != id.data() + id.size() ||
      (KeyOf(position.sort_) == "price" && !IsPrice(position.key_))) {
    return std::unexpected(kNoPosition);
  }
  return position;
}

void ProductPosition::Describe(boost::json::object& schema) {
  schema["description"] =
      "Begins the page after this position. Use the `next` of the previous page: an id in a list "
      "without `sort`, otherwise a text.";
}

std::variant<std::int32_t, std::string> ProductPosition::Of(
    const Product& product, const std::optional<ProductSort>& sort) {
  if (!sort) return product.id.value();
  std::string text = sort->value() + ' ' + std::to_string(product.id.value()) + ' ';
  const std::string_view key = KeyOf(sort->value());
  if (key == "price") text += product.price.value();
  if (key == "name") text += platform::schema::FirstCharacters(product.name, kSortedCharacters);
  return kMark + platform::security::EncodeBase64Url(text);
}

bool ProductPosition::IsIn(const std::optional<ProductSort>& sort) const {
  return sort_ == (sort ? sort->value() : "");
}

void ProductQuery::Check(platform::FieldErrors& errors) const {
  if (after && !after->IsIn(sort)) errors["after"] = {std::string(kNoPosition)};
}

void ProductQuery::Describe(boost::json::object& schema) {
  Property(schema, "min_price")["description"] = "Returns only products of this price or more.";
  Property(schema, "max_price")["description"] = "Returns only products of this price or less.";
}

}  // namespace cart
