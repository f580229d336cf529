#include "services/cart/src/api/routes.h"

#include "platform/service/documentation.h"
#include "platform/service/health.h"

namespace cart {
namespace {

const platform::http::ApiDescription kDescription{
    .title = "Microcart cart",
    .description =
        "The products of the store and its users' carts. Tokens come from the customers service.",
};

}  // namespace

Routes MakeRoutes() {
  Routes routes;
  AddProductRoutes(routes);
  AddCartRoutes(routes);
  AddCartItemRoutes(routes);
  AddCheckoutRoutes(routes);
  platform::service::AddHealthRoutes(routes);
  platform::service::AddDocumentationRoutes(routes, kDescription);
  return routes;
}

std::string OpenApiDocument() {
  return platform::http::MakeOpenApi(MakeRoutes().table(), kDescription);
}

}  // namespace cart
