#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "platform/http/openapi.h"
#include "platform/http/router.h"

namespace platform::service {

inline constexpr std::string_view kDocumentPath = "/api/v1/docs/swagger.json";

// Adds the pages that tell people and programs about the routes added so far.
template <class App>
void AddDocumentationRoutes(http::Router<App>& routes, const http::ApiDescription& description) {
  routes.AddRaw(http::Method::kGet, kDocumentPath,
                [document = http::MakeOpenApi(routes.table(), description)](
                    App&, const http::Request&) -> Task<http::Response> {
                  co_return http::Response{.body = document};
                });
}

}  // namespace platform::service
