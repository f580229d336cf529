#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <variant>
#include <vector>

#include "platform/base/result.h"
#include "platform/base/task.h"
#include "platform/postgres/client.h"
#include "platform/schema/paging.h"
#include "services/cart/src/domain/product.h"
#include "services/cart/src/domain/product_query.h"

namespace cart {

using ProductPage = platform::schema::Page<Product, std::variant<std::int32_t, std::string>>;

// The products in PostgreSQL. Each call is one statement. It belongs to the event loop of its
// client.
class ProductStore {
 public:
  template <class T>
  using Reply = platform::Task<platform::Result<T>>;

  enum class Scope { kActive, kAll };

  explicit ProductStore(platform::postgres::Client& client) : client_(client) {}

  // Returns kNotFound if the product does not exist.
  Reply<Product> Find(ProductId product);
  // Returns a page of the products that are on sale, or of all.
  Reply<ProductPage> List(const ProductQuery& query, Scope scope);

  // Returns kInvalidArgument if another product has the SKU.
  Reply<Product> Create(const NewProduct& product);
  // Returns kInvalidArgument if another product has the SKU, and kNotFound if the product does not
  // exist.
  Reply<Product> Update(ProductId product, const ProductChange& change);
  // Takes a product off sale. Returns kNotFound if it does not exist.
  Reply<void> Deactivate(ProductId product);

  // Returns all statements that the store executes.
  static std::vector<platform::postgres::StatementText> Statements();

 private:
  // Returns up to one row more than the query's limit.
  platform::Task<std::expected<std::vector<Product>, platform::postgres::QueryError>> Fetch(
      const ProductQuery& query, Scope scope);

  platform::postgres::Client& client_;
};

}  // namespace cart
