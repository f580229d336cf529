#include "platform/service/settings.h"

#include <algorithm>
#include <thread>

#include "platform/service/http_settings.h"

namespace platform::service {
namespace {

constexpr std::uint16_t kMetricsPortDistance = 1000;
constexpr int kMaxWorkers = 256;
constexpr int kMaxGraceSeconds = 3600;

}  // namespace

Settings ReadSettings(config::Environment& environment, std::uint16_t default_port) {
  const int cores =
      std::clamp(static_cast<int>(std::thread::hardware_concurrency()), 1, kMaxWorkers);
  Settings settings;
  settings.address =
      environment.String("LISTEN_ADDRESS", "0.0.0.0", "address that the REST API listens on");
  settings.port = environment.ListenPort("SERVICE_PORT", default_port, "port of the REST API");
  settings.metrics_address =
      environment.String("METRICS_ADDRESS", "127.0.0.1", "address that the metrics are served on");
  settings.metrics_port = environment.ListenPort(
      "METRICS_PORT", static_cast<std::uint16_t>(default_port + kMetricsPortDistance),
      "port of the metrics, for Prometheus");
  settings.workers = static_cast<std::size_t>(environment.Integer(
      "WORKERS", cores, {1, kMaxWorkers}, "worker threads", "one for each core"));
  settings.shutdown_grace =
      environment.Seconds("SHUTDOWN_GRACE", std::chrono::seconds(30), {0, kMaxGraceSeconds},
                          "how long a stopping service waits for requests in progress");
  settings.http = ReadHttpSettings(environment, settings.workers);
  settings.log = config::ReadLogSettings(environment);
  return settings;
}

}  // namespace platform::service
