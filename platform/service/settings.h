#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

#include "platform/config/environment.h"
#include "platform/config/settings.h"
#include "platform/http/server.h"

namespace platform::service {

// What every service is told: where it listens, with how many threads, how it logs and stops.
struct Settings {
  std::string address;
  std::uint16_t port = 0;
  std::string metrics_address;
  std::uint16_t metrics_port = 0;
  std::size_t workers = 1;
  std::chrono::seconds shutdown_grace{};
  http::ServerOptions http;
  config::LogSettings log;
};

// The default of the metrics' port is `default_port` + 1000.
Settings ReadSettings(config::Environment& environment, std::uint16_t default_port);

}  // namespace platform::service
