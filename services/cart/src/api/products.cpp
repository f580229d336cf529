#include <utility>

#include "platform/schema/paging.h"
#include "services/cart/src/api/routes.h"

namespace cart {
namespace {

using platform::Result;
using platform::Task;
using platform::schema::ListQuery;
using platform::schema::Page;

Task<Result<Page<Product>>> ListProducts(App& app, ListQuery query) {
  return app.products.List(std::move(query));
}

}  // namespace

void AddProductRoutes(Routes& routes) {
  auto products =
      routes.Group("/api/v1/products", {.name = "products", .description = "What can be bought"});
  products.Add(platform::http::Method::kGet, "/list/", platform::http::Anyone(), ListProducts,
               {.id = "listProducts",
                .summary = "List products",
                .description = "Products by id, page by page; `search` looks into their names."});
}

}  // namespace cart
