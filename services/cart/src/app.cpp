#include "services/cart/src/app.h"

#include <boost/asio/experimental/awaitable_operators.hpp>

#include "services/cart/migrations/migrations.h"

namespace cart {

platform::Task<std::vector<platform::service::Dependency>> App::CheckReadiness() {
  using boost::asio::experimental::awaitable_operators::operator&&;
  const auto [is_database_ready, is_customers_reachable] =
      co_await (platform::service::IsDatabaseReady(database, Migrations().LatestVersion()) &&
                validator.IsReachable());
  co_return std::vector<platform::service::Dependency>{{"database", is_database_ready},
                                                       {"customers", is_customers_reachable}};
}

void App::ReportTo(platform::telemetry::Report& report) const {
  database.metrics().ReportTo(report);
  validator.metrics().ReportTo(report);
}

}  // namespace cart
