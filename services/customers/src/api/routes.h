#pragma once

#include <string>

#include "platform/http/router.h"
#include "services/customers/src/app.h"

// The REST API of the customers service. Each group of endpoints has its own file.
namespace customers {

using Routes = platform::http::Router<App>;

void AddAuthRoutes(Routes& routes);
void AddRecoveryRoutes(Routes& routes);
void AddSessionRoutes(Routes& routes);
void AddUserRoutes(Routes& routes);

// Returns all routes, with documentation and health.
Routes MakeRoutes();

// Returns the OpenAPI document as JSON text.
std::string OpenApiDocument();

}  // namespace customers
