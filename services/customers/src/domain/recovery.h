#pragma once

#include <boost/describe/class.hpp>
#include <boost/json/object.hpp>
#include <string>

#include "platform/schema/write.h"

namespace customers {

// A code that lets its holder set a new password for an account, once, until the code expires.
struct RecoveryCode {
  std::string code;  // 128 random bits, in hexadecimal digits.
  platform::schema::Timestamp expires;

  static void Describe(boost::json::object& schema);
};
BOOST_DESCRIBE_STRUCT(RecoveryCode, (), (code, expires))

}  // namespace customers
