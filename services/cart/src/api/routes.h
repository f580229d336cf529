#pragma once

#include <string>

#include "platform/http/router.h"
#include "services/cart/src/app.h"

// The REST API of cart: a file for each group of endpoints.
namespace cart {

using Routes = platform::http::Router<App>;

void AddProductRoutes(Routes& routes);
void AddCartRoutes(Routes& routes);
void AddCartItemRoutes(Routes& routes);

// All of them, with documentation and health.
Routes MakeRoutes();

// The API's description, as JSON text.
std::string OpenApiDocument();

}  // namespace cart
