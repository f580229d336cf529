#include "services/customers/src/config.h"

namespace customers {
namespace {

constexpr std::uint16_t kDefaultGrpcPort = 50051;
constexpr std::size_t kMinSecretBytes = 32;
constexpr int kDefaultLifetimeDays = 14;
constexpr int kMaxLifetimeDays = 3650;

}  // namespace

Config ReadConfig(platform::config::Environment& environment) {
  Config config{
      .service = platform::service::ReadSettings(environment, kDefaultPort),
      .database = platform::config::ReadPostgresSettings(environment),
      .tls = platform::config::ReadTlsFiles(environment),
  };
  config.grpc_address = environment.String("GRPC_LISTEN_ADDRESS", "127.0.0.1",
                                           "address that the gRPC server listens on");
  config.grpc_port =
      environment.ListenPort("GRPC_PORT", kDefaultGrpcPort, "port of the gRPC server");
  config.jwt_secret =
      environment.SecretOrFile("JWT_SECRET", kMinSecretBytes, "key that signs and verifies tokens");
  config.token_lifetime =
      std::chrono::days(environment.Integer("JWT_EXPIRATION_DELTA_DAYS", kDefaultLifetimeDays,
                                            {1, kMaxLifetimeDays}, "days until a token expires"));
  config.legacy_api = environment.Boolean(
      "LEGACY_API", false,
      "restore the reference's open profiles and unchecked password change (not recommended)");
  return config;
}

}  // namespace customers
