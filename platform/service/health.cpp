#include "platform/service/health.h"

#include <algorithm>
#include <boost/describe/class.hpp>
#include <cstdint>

#include "platform/migrations/migrations.h"
#include "platform/schema/write.h"

namespace platform::service {
namespace {

struct VersionRow {
  std::int32_t version = 0;
};
BOOST_DESCRIBE_STRUCT(VersionRow, (), (version))

constexpr postgres::Statement<VersionRow> kSchemaVersion{"schema_version",
                                                         migrations::kSchemaVersionSql};

}  // namespace

Task<bool> IsDatabaseReady(postgres::Client& database, int schema_version) {
  const auto row = co_await database.QueryOne(kSchemaVersion);
  co_return row && *row && (*row)->version == schema_version;
}

http::Response ReadinessResponse(const std::vector<Dependency>& dependencies) {
  const bool is_ready = std::ranges::all_of(dependencies, &Dependency::is_ready);
  std::string body = R"({"data":{"ready":)";
  schema::Write(is_ready, body);
  for (const Dependency& dependency : dependencies) {
    body += ',';
    schema::Write(dependency.name, body);
    body += ':';
    schema::Write(dependency.is_ready, body);
  }
  body += "}}";
  return {.status = is_ready ? 200U : 503U, .body = std::move(body)};
}

}  // namespace platform::service
