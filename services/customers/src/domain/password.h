#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <string>

#include "platform/schema/bounds.h"
#include "platform/schema/value_type.h"

namespace customers {

// A password to be compared with a hash. Long ones are rejected, because hashing them is costly.
class Password
    : public platform::schema::ValueType<Password, std::string, platform::schema::MaxLength<1024>> {
 public:
  static void Describe(boost::json::object& schema);
};

// A password to be set, which must also be long enough.
class NewPassword
    : public platform::schema::ValueType<NewPassword, std::string, platform::schema::MinLength<7>,
                                         platform::schema::MaxLength<1024>> {
 public:
  static void Describe(boost::json::object& schema);
};

}  // namespace customers
