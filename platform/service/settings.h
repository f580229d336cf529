#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "platform/config/environment.h"
#include "platform/grpc/host_and_port.h"
#include "platform/grpc/tls.h"
#include "platform/http/server.h"
#include "platform/log/log.h"
#include "platform/postgres/settings.h"
#include "platform/trace/tracer.h"

// The settings that every service reads from the environment.
namespace platform::service {

struct LogSettings {
  log::Level level = log::Level::kInfo;
  log::Format format = log::Format::kJson;
};

// The settings that all services have: addresses, number of threads, logging, limits, shutdown.
struct Settings {
  std::string address;
  std::uint16_t port = 0;
  std::string metrics_address;
  std::uint16_t metrics_port = 0;
  std::size_t workers = 1;
  std::chrono::seconds shutdown_grace{};
  http::ServerOptions http;
  LogSettings log;
  std::optional<trace::TracerOptions> tracer;  // Not set if no spans are recorded.
};

// `service` is the name of the service. The default of the metrics' port is `default_port` + 1000.
// HTTP_MAX_CONNECTIONS limits all workers together; each gets an equal share.
Settings ReadSettings(config::Environment& environment, std::string_view service,
                      std::uint16_t default_port);

// Reads POSTGRES_*.
postgres::Settings ReadPostgresSettings(config::Environment& environment);

// Reads the hosts of another service's replicas, separated by commas: `variable` has names and
// addresses, each with a port if it is another one than `port`.
std::vector<grpc::HostAndPort> ReadReplicas(config::Environment& environment,
                                            std::string_view variable, std::uint16_t port,
                                            std::string_view help);

// Reads TLS_*_FILE.
grpc::TlsFiles ReadTlsFiles(config::Environment& environment);

}  // namespace platform::service
