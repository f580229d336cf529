#include "services/cart/src/config.h"

namespace cart {
namespace {

constexpr int kMaxExpiryDays = 36'500;

}  // namespace

Config ReadConfig(platform::config::Environment& environment) {
  Config config{
      .service = platform::service::ReadSettings(environment, kDefaultPort),
      .database = platform::service::ReadPostgresSettings(environment),
  };
  config.customers.tls = platform::service::ReadTlsFiles(environment);
  config.customers.host = environment.String("CUSTOMERS_HOST", "localhost",
                                             "host of the customers service's gRPC server");
  config.customers.port = environment.Port("GRPC_PORT", config.customers.port,
                                           "port of the customers service's gRPC server");
  config.cart_expiry_days =
      environment.Integer("CART_EXPIRY_DAYS", 0, {0, kMaxExpiryDays},
                          "days without a write after which a cart's items are removed; 0: never");
  config.legacy_api =
      environment.Boolean("LEGACY_API", false, "leave `next` out of lists, as the reference does");
  return config;
}

}  // namespace cart
