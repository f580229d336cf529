#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "platform/http/route_table.h"

namespace platform::http {

struct Tag {
  std::string_view name;
  std::string_view description;
};

// What the document says of the API as a whole.
struct ApiDescription {
  std::string_view title;
  std::string_view description;
  std::vector<Tag> tags;
};

// The OpenAPI 3.1 document of the documented routes, as JSON text. It is made from what routes,
// parses and answers requests, so that it cannot tell anything else.
std::string MakeOpenApi(const RouteTable& table, const ApiDescription& description);

}  // namespace platform::http
