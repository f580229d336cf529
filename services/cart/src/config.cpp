#include "services/cart/src/config.h"

namespace cart {
namespace {

constexpr std::uint16_t kDefaultGrpcPort = 50051;

}  // namespace

Config ReadConfig(platform::config::Environment& environment) {
  Config config{
      .service = platform::service::ReadSettings(environment, kDefaultPort),
      .database = platform::service::ReadPostgresSettings(environment),
  };
  config.customers.tls = platform::service::ReadTlsFiles(environment);
  config.customers.host = environment.String("CUSTOMERS_HOST", "localhost",
                                             "host of the customers service's gRPC server");
  config.customers.port = environment.Port("GRPC_PORT", kDefaultGrpcPort,
                                           "port of the customers service's gRPC server");
  return config;
}

}  // namespace cart
