#include "services/customers/src/api/routes.h"

#include "platform/service/documentation.h"
#include "platform/service/health.h"

namespace customers {

namespace {

const platform::http::ApiDescription kDescription{
    .title = "Microcart customers",
    .description = "The accounts of the store: registration, login, profiles.",
};

}  // namespace

Routes MakeRoutes() {
  Routes routes;
  AddAuthRoutes(routes);
  AddUserRoutes(routes);
  AddSessionRoutes(routes);
  AddRecoveryRoutes(routes);
  platform::service::AddHealthRoutes(routes);
  platform::service::AddDocumentationRoutes(routes, kDescription);
  return routes;
}

std::string OpenApiDocument() {
  return platform::http::MakeOpenApi(MakeRoutes().table(), kDescription);
}

}  // namespace customers
