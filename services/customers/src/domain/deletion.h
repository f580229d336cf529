#pragma once

#include <boost/describe/class.hpp>
#include <cstdint>

namespace customers {

// The deletion of a user. Positions increase in the order of commits; none is used twice, not even
// after a restore of the database.
struct Deletion {
  std::int64_t position = 0;
  std::int32_t user_id = 0;
};
BOOST_DESCRIBE_STRUCT(Deletion, (), (position, user_id))

}  // namespace customers
