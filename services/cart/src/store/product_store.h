#pragma once

#include <vector>

#include "platform/http/paging.h"
#include "platform/postgres/client.h"
#include "platform/result/result.h"
#include "platform/runtime/task.h"
#include "services/cart/src/domain/product.h"

namespace cart {

// The products in PostgreSQL. For the event loop of its client.
class ProductStore {
 public:
  explicit ProductStore(platform::postgres::Client& client) : client_(client) {}

  // In the order of their ids; one more than the limit where there are more.
  platform::Task<platform::Result<std::vector<Product>>> List(
      const platform::http::ListQuery& query);

 private:
  platform::postgres::Client& client_;
};

}  // namespace cart
