#include "platform/log/log.h"
#include "platform/service/descriptors.h"
#include "platform/service/program.h"
#include "services/cart/migrations/migrations.h"
#include "services/cart/src/api/routes.h"
#include "services/cart/src/config.h"
#include "services/cart/src/service.h"

namespace {

int Serve() {
  platform::config::Environment environment;
  cart::Config config = cart::ReadConfig(environment);
  if (platform::service::ReportMistakes(environment)) {
    return platform::service::kMistakenConfiguration;
  }
  platform::log::Configure(config.service.log.level, config.service.log.format);
  platform::service::MakeRoomForConnections(config.service);
  return cart::Serve(config);
}

}  // namespace

int main(int argc, char** argv) {
  return platform::service::RunProgram(
      argc, argv,
      {
          .name = "cart",
          .description = "The products of the store and its users' carts: REST API.",
          .default_port = cart::kDefaultPort,
          .migrations = cart::Migrations(),
          .describe_configuration = cart::ReadConfig,
          .serve = Serve,
          .openapi = cart::OpenApiDocument,
      });
}
