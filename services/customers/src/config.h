#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "platform/config/environment.h"
#include "platform/config/secret.h"
#include "platform/security/password.h"
#include "platform/service/settings.h"
#include "services/customers/src/store/login_throttle.h"

namespace customers {

inline constexpr std::uint16_t kDefaultPort = 8081;

// The settings from the environment, which are read once at the start.
struct Config {
  platform::service::Settings service;
  platform::postgres::Settings database;
  platform::grpc::TlsFiles tls;
  std::string grpc_address;
  std::uint16_t grpc_port = 0;
  std::vector<std::string> grpc_clients;  // Names in the certificates of the clients to serve.
  std::chrono::seconds grpc_max_connection_age{};
  platform::Secret jwt_secret;           // Signs tokens.
  platform::Secret previous_jwt_secret;  // Still verifies tokens; empty unless it is being changed.
  std::chrono::days token_lifetime{};
  std::int32_t password_min_length = 0;
  ThrottleLimits throttle;
  // Restores the behaviour that docs/api-differences.md marks.
  bool legacy_api = false;
  platform::security::HashForm hash_form = platform::security::HashForm::kArgon2id;
};

// Reads REPLACE_REFERENCE_HASHES, which decides the form of new password hashes.
platform::security::HashForm ReadHashForm(platform::config::Environment& environment);

// Returns the secrets for TokenCodec.
std::vector<platform::Secret> TokenSecrets(const Config& config);

// Reads one of them.
std::int32_t ReadPasswordMinLength(platform::config::Environment& environment);

// Reads the variables; see `environment.Mistakes()` before using the result.
Config ReadConfig(platform::config::Environment& environment);

}  // namespace customers
