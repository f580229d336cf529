#include "services/cart/src/config.h"

namespace cart {
namespace {

constexpr std::uint16_t kDefaultCustomersPort = 50051;
constexpr int kMaxExpiryDays = 36'500;
constexpr int kMaxAgeSeconds = 31'536'000;  // A year, as RFC 2616 once recommended.

}  // namespace

Config ReadConfig(platform::config::Environment& environment) {
  Config config{
      .service = platform::service::ReadSettings(environment, "cart", kDefaultPort),
      .database = platform::service::ReadPostgresSettings(environment),
  };
  config.customers.tls = platform::service::ReadTlsFiles(environment);
  const std::uint16_t customers_port = environment.Port(
      "GRPC_PORT", kDefaultCustomersPort, "port of the customers service's gRPC server");
  config.customers.replicas = platform::service::ReadReplicas(
      environment, "CUSTOMERS_HOST", customers_port,
      "host or host:port of the customers service's gRPC server, or several; all addresses of a "
      "name are used");
  config.cart_expiry_days =
      environment.Integer("CART_EXPIRY_DAYS", 0, {0, kMaxExpiryDays},
                          "days without a write after which a cart's items are removed; 0: never");
  config.products_max_age = std::chrono::seconds(
      environment.Integer("PRODUCTS_MAX_AGE", 0, {0, kMaxAgeSeconds},
                          "seconds for which browsers and caches may keep products before they ask "
                          "whether they have changed; 0: they always ask"));
  config.legacy_api =
      environment.Boolean("LEGACY_API", false, "leave `next` out of lists, as the reference does");
  return config;
}

}  // namespace cart
