#pragma once

#include <string>

#include "platform/http/router.h"
#include "services/customers/src/app.h"

// The REST API of customers: a file for each group of endpoints.
namespace customers {

using Routes = platform::http::Router<App>;

void AddAuthRoutes(Routes& routes);
void AddUserRoutes(Routes& routes);

// All of them, with documentation and health.
Routes MakeRoutes();

// The API's description, as JSON text.
std::string OpenApiDocument();

}  // namespace customers
