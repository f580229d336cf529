#pragma once

#include <boost/describe/class.hpp>
#include <boost/json/object.hpp>
#include <cstdint>
#include <string>

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

struct Product {
  ProductId id;
  platform::schema::Timestamp created;
  std::string name;
  std::string description;
  Money price;

  static void Describe(boost::json::object& schema);
};
BOOST_DESCRIBE_STRUCT(Product, (), (id, created, name, description, price))

}  // namespace cart
