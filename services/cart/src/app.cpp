#include "services/cart/src/app.h"

#include "services/cart/migrations/migrations.h"

namespace cart {

platform::Task<std::vector<platform::service::Dependency>> App::CheckReadiness() {
  const bool is_database_ready =
      co_await platform::service::IsDatabaseReady(database, Migrations().LatestVersion());
  co_return std::vector<platform::service::Dependency>{{"database", is_database_ready},
                                                       {"customers", validator->Ready()}};
}

}  // namespace cart
