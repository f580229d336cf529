#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <string>

#include "platform/telemetry/report.h"

namespace platform::service {

// Serves `GET /metrics`, in Prometheus' text format, on a port of its own and from a thread of its
// own: no client of the API sees it, and no worker is held up by it.
class MetricsServer {
 public:
  // Listens on `address` (port 0 takes any free one) until it is destroyed. Beside what `source`
  // reports, it tells of the process and of the build, which `service` names. The error names the
  // address, the port and the reason. What `source` refers to outlives the server.
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
