#include <utility>

#include "platform/http/paging.h"
#include "services/cart/src/api/routes.h"

namespace cart {
namespace {

using platform::Result;
using platform::Task;
using platform::http::ListQuery;
using platform::http::Page;

Task<Result<Page<Product>>> ListProducts(App& app, ListQuery query) {
  ASSIGN_OR_CO_RETURN(auto products, co_await app.products.List(query));
  co_return platform::http::MakePage(std::move(products), query.Limit());
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
