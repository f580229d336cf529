#include "services/cart/src/api/routes.h"

#include "platform/service/documentation.h"
#include "platform/service/health.h"

namespace cart {
namespace {

const platform::http::ApiDescription kDescription{
    .title = "Microcart cart",
    .description =
        "The products of the store and what its users put into their carts. Tokens come "
        "from customers.",
};

}  // namespace

Routes MakeRoutes() {
  Routes routes;
  AddProductRoutes(routes);
  AddCartRoutes(routes);
  AddCartItemRoutes(routes);
  platform::service::AddHealthRoutes(routes);
  platform::service::AddDocumentationRoutes(routes, kDescription);
  return routes;
}

std::string OpenApiDocument() {
  return platform::http::MakeOpenApi(MakeRoutes().table(), kDescription);
}

}  // namespace cart
