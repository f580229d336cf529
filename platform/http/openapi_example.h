#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include "platform/schema/describe.h"

namespace platform::http {

// Returns a value that the schema allows, composed of the `examples` of its parts. Optional members
// without an example are left out.
boost::json::value MakeExample(const boost::json::object& schema,
                               const schema::Components& components);

}  // namespace platform::http
