#include "platform/service/program.h"
#include "services/cart/migrations/migrations.h"
#include "services/cart/src/api/routes.h"
#include "services/cart/src/catalogue/commands.h"
#include "services/cart/src/config.h"
#include "services/cart/src/service.h"

int main(int argc, char** argv) {
  return platform::service::RunProgram(
      argc, argv,
      {
          .name = "cart",
          .description = "The products of the store and its users' carts: REST API.",
          .default_port = cart::kDefaultPort,
          .migrations = cart::Migrations(),
          .describe_configuration = cart::ReadConfig,
          .serve = platform::service::ServeConfigured<cart::ReadConfig, cart::Serve>,
          .openapi = cart::OpenApiDocument,
          .add_commands = cart::AddProductsCommand,
      });
}
