#pragma once

#include <boost/describe/class.hpp>
#include <boost/json/object.hpp>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "platform/base/result.h"
#include "platform/schema/paging.h"
#include "platform/schema/value_type.h"
#include "services/cart/src/domain/money.h"
#include "services/cart/src/domain/product.h"

namespace cart {

// The order of a list: by id, by price, or by name; '-' before it for the opposite direction.
class ProductSort : public platform::schema::ValueType<ProductSort, std::string> {
 public:
  static std::optional<std::string_view> Check(std::string_view value);
  static void Describe(boost::json::object& schema);
};

// The product after which a page begins. In a list without `sort` it is an id, as in the reference.
// Otherwise it is a text that means nothing to clients: it holds the product's id and also the
// value that the list is sorted by, so that a page begins at the same place when that value has
// changed.
class ProductPosition : public platform::schema::ValueType<ProductPosition, std::string> {
 public:
  static std::expected<ProductPosition, std::string_view> Parse(std::string text);
  static void Describe(boost::json::object& schema);

  // Returns the position of a product in a list.
  static std::variant<std::int32_t, std::string> Of(const Product& product,
                                                    const std::optional<ProductSort>& sort);

  bool IsIn(const std::optional<ProductSort>& sort) const;
  std::int32_t id() const { return id_; }
  // The price or name; empty in a list by id.
  const std::string& key() const { return key_; }

 private:
  std::string sort_;  // Empty in a list without `sort`.
  std::int32_t id_ = 0;
  std::string key_;
};

// The query string of a list of products.
struct ProductQuery {
  std::optional<platform::schema::SearchTerm> search;
  std::optional<Money> min_price;
  std::optional<Money> max_price;
  std::optional<ProductSort> sort;
  std::optional<platform::schema::PageLimit> limit;
  std::optional<ProductPosition> after;

  bool IsSearch() const { return search && !search->value().empty(); }
  std::int32_t Limit() const { return limit ? limit->value() : platform::schema::kMaxPageLimit; }

  void Check(platform::FieldErrors& errors) const;
  static void Describe(boost::json::object& schema);
};
BOOST_DESCRIBE_STRUCT(ProductQuery, (), (search, min_price, max_price, sort, limit, after))

}  // namespace cart
