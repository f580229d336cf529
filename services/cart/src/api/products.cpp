#include <utility>

#include "services/cart/src/api/routes.h"
#include "services/customers/client/access.h"

namespace cart {
namespace {

using customers::client::Admin;
using customers::client::AdminOf;
using platform::ErrorCode;
using platform::Result;
using platform::Task;
using platform::http::Anyone;
using platform::http::Cacheable;
using platform::http::Created;
using platform::http::Method;

Task<Result<void>> FindProduct(App& app, ProductId product) {
  CO_RETURN_IF_ERROR(co_await app.products.Find(product));
  co_return Result<void>();
}

Task<Result<Cacheable<Product>>> GetProduct(App& app, ProductId product) {
  ASSIGN_OR_CO_RETURN(Product found, co_await app.products.Find(product));
  co_return Cacheable{std::move(found), app.config.products_max_age};
}

Task<Result<Cacheable<ProductPage>>> ListProducts(App& app, const ProductQuery& query) {
  const bool is_references_list = !query.sort;
  ASSIGN_OR_CO_RETURN(ProductPage page,
                      co_await app.products.List(query, ProductStore::Scope::kActive));
  page.shows_next = !is_references_list || !app.config.legacy_api;
  co_return Cacheable{std::move(page), app.config.products_max_age};
}

Task<Result<ProductPage>> ListAllProducts(App& app, const ProductQuery& query) {
  return app.products.List(query, ProductStore::Scope::kAll);
}

Task<Result<Created<Product>>> CreateProduct(App& app, NewProduct product) {
  ASSIGN_OR_CO_RETURN(Product created, co_await app.products.Create(product));
  co_return Created{std::move(created)};
}

Task<Result<Product>> UpdateProduct(App& app, ProductId product, const ProductChange& change) {
  return app.products.Update(product, change);
}

Task<Result<void>> DeleteProduct(App& app, ProductId product) {
  return app.products.Deactivate(product);
}

}  // namespace

void AddProductRoutes(Routes& routes) {
  const Admin<App> admin;
  const AdminOf<App, ProductId> admin_of_product{FindProduct};
  auto products = routes.Group("/api/v1/products",
                               {.name = "products", .description = "The products of the store"});
  products.Add(Method::kGet, "/list/", Anyone(), ListProducts,
               {.id = "listProducts",
                .summary = "List products",
                .description = "Products that are on sale, page by page, in the order of their ids "
                               "or of `sort`; `search` matches their names."});
  products.Add(Method::kGet, "/all/", admin, ListAllProducts,
               {.id = "listAllProducts",
                .summary = "List all products",
                .description = "Like the list of products, with those that are off sale."});
  products.Add(Method::kPost, "/create/", admin, CreateProduct,
               {.id = "createProduct",
                .summary = "Add a product",
                .description = "It is on sale at once, unless `is_active` is false.",
                .errors = {ErrorCode::kInvalidArgument}});
  products.Add(Method::kGet, "/{product_id}/", Anyone(), GetProduct,
               {.id = "getProduct",
                .summary = "Show a product",
                .description = "Returns the product with this id, also if it is off sale."});
  products.Add(Method::kPatch, "/{product_id}/", admin_of_product, UpdateProduct,
               {.id = "updateProduct",
                .summary = "Change a product",
                .description = "Missing fields stay unchanged; `null` removes `sku`, `image_url` "
                               "or `stock`.",
                .errors = {ErrorCode::kInvalidArgument}});
  products.Add(Method::kDelete, "/{product_id}/", admin_of_product, DeleteProduct,
               {.id = "deleteProduct",
                .summary = "Take a product off sale",
                .description = "The product and the items of carts stay. A PATCH of `is_active` "
                               "puts it on sale again."});
}

}  // namespace cart
