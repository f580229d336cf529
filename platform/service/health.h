#pragma once

#include <string_view>
#include <vector>

#include "platform/http/router.h"
#include "platform/postgres/client.h"

namespace platform::service {

// Something a service cannot answer without.
struct Dependency {
  std::string_view name;
  bool is_ready = false;
};

// Whether the database answers and is at the schema version that this program was built for.
Task<bool> IsDatabaseReady(postgres::Client& database, int schema_version);

// 200 where all are ready, else 503; the body names each.
http::Response ReadinessResponse(const std::vector<Dependency>& dependencies);

// Adds GET /healthz, which tells that the process is alive, and GET /readyz, which tells whether it
// can do its work. App has
//
//   Task<std::vector<Dependency>> CheckReadiness();
template <class App>
void AddHealthRoutes(http::Router<App>& routes) {
  routes.AddRaw(http::Method::kGet, "/healthz",
                [](App&, const http::Request&) -> Task<http::Response> {
                  co_return http::Response{.body = R"({"data":{"alive":true}})"};
                });
  routes.AddRaw(http::Method::kGet, "/readyz",
                [](App& app, const http::Request&) -> Task<http::Response> {
                  co_return ReadinessResponse(co_await app.CheckReadiness());
                });
}

}  // namespace platform::service
