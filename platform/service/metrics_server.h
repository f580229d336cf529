#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <string>

#include "platform/telemetry/report.h"

namespace platform::service {

// Serves `GET /metrics` in Prometheus' text format, on its own port and thread, so that clients of
// the API cannot read it and it does not delay workers.
class MetricsServer {
 public:
  // Listens on `address` until it is destroyed; port 0 takes any free port. Beside the metrics of
  // `source`, it reports the process and the build; `service` is a label of the build. The error
  // names the address, the port and the reason. Objects to which `source` refers must outlive the
  // server.
  static std::expected<MetricsServer, std::string> Start(const std::string& address,
                                                         std::uint16_t port, std::string service,
                                                         telemetry::Source source);
  MetricsServer(MetricsServer&& other) noexcept;
  MetricsServer(const MetricsServer&) = delete;
  MetricsServer& operator=(const MetricsServer&) = delete;
  MetricsServer& operator=(MetricsServer&&) = delete;
  ~MetricsServer();

  std::uint16_t port() const;

 private:
  class Impl;
  explicit MetricsServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace platform::service
