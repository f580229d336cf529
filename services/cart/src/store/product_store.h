#pragma once

#include <expected>
#include <vector>

#include "platform/base/result.h"
#include "platform/base/task.h"
#include "platform/postgres/client.h"
#include "platform/schema/paging.h"
#include "services/cart/src/domain/product.h"

namespace cart {

// The products in PostgreSQL. It belongs to the event loop of its client.
class ProductStore {
 public:
  explicit ProductStore(platform::postgres::Client& client) : client_(client) {}

  // Returns kNotFound if the product does not exist.
  platform::Task<platform::Result<Product>> Find(ProductId product);
  // Returns a page of products in the order of their ids.
  platform::Task<platform::Result<platform::schema::Page<Product>>> List(
      platform::schema::ListQuery query);

  // Returns all statements that the store executes.
  static std::vector<platform::postgres::StatementText> Statements();

 private:
  // Returns up to one row more than the query's limit.
  platform::Task<std::expected<std::vector<Product>, platform::postgres::QueryError>> Fetch(
      const platform::schema::ListQuery& query);

  platform::postgres::Client& client_;
};

}  // namespace cart
