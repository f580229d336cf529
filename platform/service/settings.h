#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

#include "platform/config/environment.h"
#include "platform/grpc/tls.h"
#include "platform/http/server.h"
#include "platform/log/log.h"
#include "platform/postgres/settings.h"

// What every service reads from the environment in the same way.
namespace platform::service {

struct LogSettings {
  log::Level level = log::Level::kInfo;
  log::Format format = log::Format::kJson;
};

// What every service is told: where it listens, with how many threads, how it logs and stops.
struct Settings {
  std::string address;
  std::uint16_t port = 0;
  std::string metrics_address;
  std::uint16_t metrics_port = 0;
  std::size_t workers = 1;
  std::chrono::seconds shutdown_grace{};
  http::ServerOptions http;
  LogSettings log;
};

// The default of the metrics' port is `default_port` + 1000. HTTP_MAX_CONNECTIONS bounds all
// workers together: each gets an equal share.
Settings ReadSettings(config::Environment& environment, std::uint16_t default_port);

// POSTGRES_*.
postgres::Settings ReadPostgresSettings(config::Environment& environment);

// TLS_*_FILE.
grpc::TlsFiles ReadTlsFiles(config::Environment& environment);

}  // namespace platform::service
