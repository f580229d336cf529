#include <utility>

#include "platform/schema/paging.h"
#include "services/cart/src/api/routes.h"

namespace cart {
namespace {

using platform::Result;
using platform::Task;
using platform::http::Anyone;
using platform::http::Method;
using platform::schema::ListQuery;
using platform::schema::Page;

Task<Result<Product>> GetProduct(App& app, ProductId product) { return app.products.Find(product); }

Task<Result<Page<Product>>> ListProducts(App& app, ListQuery query) {
  ASSIGN_OR_CO_RETURN(Page<Product> page, co_await app.products.List(std::move(query)));
  page.shows_next = !app.config.legacy_api;
  co_return page;
}

}  // namespace

void AddProductRoutes(Routes& routes) {
  auto products = routes.Group("/api/v1/products",
                               {.name = "products", .description = "The products of the store"});
  products.Add(
      Method::kGet, "/list/", Anyone(), ListProducts,
      {.id = "listProducts",
       .summary = "List products",
       .description =
           "Products in the order of their ids, page by page; `search` matches their names."});
  products.Add(Method::kGet, "/{product_id}/", Anyone(), GetProduct,
               {.id = "getProduct",
                .summary = "Show a product",
                .description = "Returns the product with this id."});
}

}  // namespace cart
