#include "services/customers/src/config.h"

#include <boost/algorithm/string.hpp>
#include <chrono>

#include "services/customers/src/domain/password.h"

namespace customers {
namespace {

constexpr std::uint16_t kDefaultGrpcPort = 50051;
constexpr std::chrono::seconds kDefaultConnectionAge{30};
constexpr int kMaxConnectionAgeSeconds = 24 * 60 * 60;
constexpr std::size_t kMinSecretBytes = 32;
constexpr int kDefaultLifetimeDays = 14;
constexpr int kMaxLifetimeDays = 3650;
constexpr int kMaxFailures = 1'000'000;
constexpr int kMaxPasswordMinLength = 128;
constexpr int kMaxWindowSeconds = 24 * 60 * 60;

std::vector<std::string> ReadGrpcClients(platform::config::Environment& environment) {
  const std::string text = environment.String(
      "GRPC_CLIENTS", "cart", "names in the certificates of the gRPC clients to serve");
  std::vector<std::string> names;
  boost::split(names, text, boost::is_any_of(","));
  for (std::string& name : names) {
    boost::trim(name);
    if (name.empty()) {
      environment.AddMistake("GRPC_CLIENTS",
                             "has an empty name; it should be names such as cart,orders");
    }
  }
  return names;
}

}  // namespace

std::int32_t ReadPasswordMinLength(platform::config::Environment& environment) {
  return environment.Integer("PASSWORD_MIN_LENGTH", NewPassword::kLeastMinLength,
                             {NewPassword::kLeastMinLength, kMaxPasswordMinLength},
                             "characters that a new password must have");
}

Config ReadConfig(platform::config::Environment& environment) {
  Config config{
      .service = platform::service::ReadSettings(environment, "customers", kDefaultPort),
      .database = platform::service::ReadPostgresSettings(environment),
      .tls = platform::service::ReadTlsFiles(environment),
  };
  config.grpc_address = environment.String("GRPC_LISTEN_ADDRESS", "127.0.0.1",
                                           "address that the gRPC server listens on");
  config.grpc_port =
      environment.ListenPort("GRPC_PORT", kDefaultGrpcPort, "port of the gRPC server");
  config.grpc_clients = ReadGrpcClients(environment);
  config.grpc_max_connection_age = environment.Seconds(
      "GRPC_MAX_CONNECTION_AGE", kDefaultConnectionAge, {1, kMaxConnectionAgeSeconds},
      "seconds after which a gRPC client has to connect again, so that it finds new replicas");
  config.jwt_secret =
      environment.SecretOrFile("JWT_SECRET", kMinSecretBytes, "key that signs and verifies tokens");
  config.previous_jwt_secret = environment.OptionalSecretOrFile(
      "JWT_SECRET_PREVIOUS", kMinSecretBytes, "key before a change; its tokens stay valid");
  config.token_lifetime =
      std::chrono::days(environment.Integer("JWT_EXPIRATION_DELTA_DAYS", kDefaultLifetimeDays,
                                            {1, kMaxLifetimeDays}, "days until a token expires"));
  config.password_min_length = ReadPasswordMinLength(environment);
  config.throttle.per_account = environment.Integer(
      "LOGIN_FAILURES_PER_ACCOUNT", config.throttle.per_account, {1, kMaxFailures},
      "wrong passwords for one account from one address in a window; then 429");
  config.throttle.per_address = environment.Integer(
      "LOGIN_FAILURES_PER_ADDRESS", config.throttle.per_address, {1, kMaxFailures},
      "wrong passwords from one address in a window; then 429");
  config.throttle.window =
      environment.Seconds("LOGIN_FAILURE_WINDOW", config.throttle.window, {1, kMaxWindowSeconds},
                          "seconds until a wrong password is forgotten");
  config.legacy_api = environment.Boolean(
      "LEGACY_API", false,
      "restore the reference's open profiles and unchecked password change, and leave `next` out "
      "of lists (not recommended)");
  config.hash_form = ReadHashForm(environment);
  return config;
}

platform::security::HashForm ReadHashForm(platform::config::Environment& environment) {
  const bool replaces =
      environment.Boolean("REPLACE_REFERENCE_HASHES", true,
                          "hash passwords with argon2id; false: in the form that the reference "
                          "reads, during a trial");
  return replaces ? platform::security::HashForm::kArgon2id
                  : platform::security::HashForm::kSha256Crypt;
}

std::vector<platform::Secret> TokenSecrets(const Config& config) {
  std::vector<platform::Secret> secrets = {config.jwt_secret};
  if (!config.previous_jwt_secret.empty()) secrets.push_back(config.previous_jwt_secret);
  return secrets;
}

}  // namespace customers
