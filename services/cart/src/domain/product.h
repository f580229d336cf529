#pragma once

#include <boost/describe/class.hpp>
#include <boost/json/object.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "platform/schema/bounds.h"
#include "platform/schema/value_type.h"
#include "platform/schema/write.h"
#include "services/cart/src/domain/money.h"

namespace cart {

class ProductId
    : public platform::schema::ValueType<ProductId, std::int32_t, platform::schema::AtLeast<0>> {
 public:
  static void Describe(boost::json::object& schema);
};

class ProductName : public platform::schema::ValueType<ProductName, std::string,
                                                       platform::schema::Length<1, 256>> {
 public:
  static void Describe(boost::json::object& schema);
};

class ProductDescription : public platform::schema::ValueType<ProductDescription, std::string,
                                                              platform::schema::MaxLength<10'000>> {
 public:
  static void Describe(boost::json::object& schema);
};

// The shop's own name for a product: 1 to 64 of A-Z a-z 0-9 . _ -, unique whatever its case.
class Sku : public platform::schema::ValueType<Sku, std::string> {
 public:
  static std::optional<std::string_view> Check(std::string_view value);
  static void Describe(boost::json::object& schema);
};

// An absolute http or https URL of at most 2,048 bytes.
class ImageUrl : public platform::schema::ValueType<ImageUrl, std::string> {
 public:
  static std::optional<std::string_view> Check(std::string_view value);
  static void Describe(boost::json::object& schema);
};

class Stock
    : public platform::schema::ValueType<Stock, std::int32_t, platform::schema::AtLeast<0>> {
 public:
  static void Describe(boost::json::object& schema);
};

// A product as it is shown. The reference's database may hold longer names and descriptions than a
// client may send.
struct Product {
  ProductId id;
  platform::schema::Timestamp created;
  std::string name;
  std::string description;
  Money price;
  std::optional<Sku> sku;
  std::optional<ImageUrl> image_url;
  std::optional<Stock> stock;  // Nothing if it is not counted.
  bool is_active = true;       // On sale.

  static void Describe(boost::json::object& schema);
};
BOOST_DESCRIBE_STRUCT(Product, (),
                      (id, created, name, description, price, sku, image_url, stock, is_active))

// Null is the same as a missing member.
struct NewProduct {
  ProductName name;
  Money price;
  std::optional<ProductDescription> description;
  std::optional<std::optional<Sku>> sku;
  std::optional<std::optional<ImageUrl>> image_url;
  std::optional<std::optional<Stock>> stock;
  std::optional<bool> is_active;

  static void Describe(boost::json::object& schema);
};
BOOST_DESCRIBE_STRUCT(NewProduct, (), (name, price, description, sku, image_url, stock, is_active))

// Missing members stay unchanged; null removes a value.
struct ProductChange {
  std::optional<ProductName> name;
  std::optional<Money> price;
  std::optional<ProductDescription> description;
  std::optional<std::optional<Sku>> sku;
  std::optional<std::optional<ImageUrl>> image_url;
  std::optional<std::optional<Stock>> stock;
  std::optional<bool> is_active;

  static void Describe(boost::json::object& schema);
};
BOOST_DESCRIBE_STRUCT(ProductChange, (),
                      (name, price, description, sku, image_url, stock, is_active))

}  // namespace cart
