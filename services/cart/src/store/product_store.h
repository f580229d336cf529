#pragma once

#include <expected>
#include <vector>

#include "platform/base/result.h"
#include "platform/base/task.h"
#include "platform/postgres/client.h"
#include "platform/schema/paging.h"
#include "services/cart/src/domain/product.h"

namespace cart {

// The products in PostgreSQL. For the event loop of its client.
class ProductStore {
 public:
  explicit ProductStore(platform::postgres::Client& client) : client_(client) {}

  // kNotFound if there is no such product.
  platform::Task<platform::Result<Product>> Find(ProductId product);
  // By id.
  platform::Task<platform::Result<platform::schema::Page<Product>>> List(
      platform::schema::ListQuery query);

  // All that it executes.
  static std::vector<platform::postgres::StatementText> Statements();

 private:
  // One more row than the query's limit, if there are more.
  platform::Task<std::expected<std::vector<Product>, platform::postgres::QueryError>> Fetch(
      const platform::schema::ListQuery& query);

  platform::postgres::Client& client_;
};

}  // namespace cart
