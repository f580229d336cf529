#include "services/customers/src/app.h"

#include "services/customers/migrations/migrations.h"

namespace customers {

platform::Task<std::vector<platform::service::Dependency>> App::CheckReadiness() {
  const bool is_database_ready =
      co_await platform::service::IsDatabaseReady(database, Migrations().LatestVersion());
  co_return std::vector<platform::service::Dependency>{{"database", is_database_ready}};
}

void App::ReportTo(platform::telemetry::Report& report) const {
  database.metrics().ReportTo(report);
  authenticator.metrics().ReportTo(report);
  guesses.ReportTo(report);
}

}  // namespace customers
