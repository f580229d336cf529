#pragma once

#include <string>

#include "platform/http/router.h"
#include "services/cart/src/app.h"

// The REST API of the cart service. Each group of endpoints has its own file.
namespace cart {

using Routes = platform::http::Router<App>;

void AddProductRoutes(Routes& routes);
void AddCartRoutes(Routes& routes);
void AddCartItemRoutes(Routes& routes);
void AddCheckoutRoutes(Routes& routes);

// Returns all routes, with documentation and health.
Routes MakeRoutes();

// Returns the OpenAPI document as JSON text.
std::string OpenApiDocument();

}  // namespace cart
