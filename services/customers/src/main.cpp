#include "platform/service/program.h"
#include "services/customers/migrations/migrations.h"
#include "services/customers/src/api/routes.h"
#include "services/customers/src/config.h"
#include "services/customers/src/create_admin.h"
#include "services/customers/src/recovery_code.h"
#include "services/customers/src/service.h"

int main(int argc, char** argv) {
  return platform::service::RunProgram(
      argc, argv,
      {
          .name = "customers",
          .description = "The accounts of the store: REST API, and token validation over gRPC.",
          .default_port = customers::kDefaultPort,
          .migrations = customers::Migrations(),
          .describe_configuration = customers::ReadConfig,
          .serve = platform::service::ServeConfigured<customers::ReadConfig, customers::Serve>,
          .openapi = customers::OpenApiDocument,
          .add_commands =
              [](CLI::App& app, int& exit_code) {
                customers::AddCreateAdminCommand(app, exit_code);
                customers::AddRecoveryCodeCommand(app, exit_code);
              },
      });
}
