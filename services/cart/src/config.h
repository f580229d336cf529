#pragma once

#include <chrono>
#include <cstdint>

#include "platform/config/environment.h"
#include "platform/service/settings.h"
#include "services/customers/client/token_validator.h"

namespace cart {

inline constexpr std::uint16_t kDefaultPort = 8082;

// The settings from the environment, which are read once at the start.
struct Config {
  platform::service::Settings service;
  platform::postgres::Settings database;
  customers::client::TokenValidatorOptions customers;
  // Days after which the items of a cart that nobody writes to are removed; 0 keeps them.
  std::int32_t cart_expiry_days = 0;
  // Time for which clients and shared caches may keep products before they ask again.
  std::chrono::seconds products_max_age{0};
  // Leaves `next` out of lists, as the reference does.
  bool legacy_api = false;
};

// Reads the variables; see `environment.Mistakes()` before using the result.
Config ReadConfig(platform::config::Environment& environment);

}  // namespace cart
