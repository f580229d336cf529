#pragma once

#include <string>
#include <string_view>

#include "platform/http/route_table.h"

namespace platform::http {

// The document's description of the API as a whole.
struct ApiDescription {
  std::string_view title;
  std::string_view description;
};

// Returns the OpenAPI 3.1 document of the documented routes, as JSON text. It is generated from the
// declarations that route, parse and answer requests, so it cannot deviate from them.
std::string MakeOpenApi(const RouteTable& table, const ApiDescription& description);

}  // namespace platform::http
