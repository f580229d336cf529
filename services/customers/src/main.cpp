#include "platform/log/log.h"
#include "platform/service/descriptors.h"
#include "platform/service/program.h"
#include "services/customers/migrations/migrations.h"
#include "services/customers/src/api/routes.h"
#include "services/customers/src/config.h"
#include "services/customers/src/create_admin.h"
#include "services/customers/src/service.h"

namespace {

int Serve() {
  platform::config::Environment environment;
  customers::Config config = customers::ReadConfig(environment);
  if (platform::service::ReportMistakes(environment))
    return platform::service::kMistakenConfiguration;
  platform::log::Configure(config.service.log.level, config.service.log.format);
  platform::service::MakeRoomForConnections(config.service);
  return customers::Serve(config);
}

}  // namespace

int main(int argc, char** argv) {
  return platform::service::RunProgram(
      argc, argv,
      {
          .name = "customers",
          .description = "The accounts of the store: REST API, and token validation over gRPC.",
          .default_port = customers::kDefaultPort,
          .migrations = customers::Migrations(),
          .describe_configuration = customers::ReadConfig,
          .serve = Serve,
          .openapi = customers::OpenApiDocument,
          .add_commands = customers::AddCreateAdminCommand,
      });
}
