#include "services/cart/src/service.h"

#include <fmt/core.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "platform/http/server.h"
#include "platform/http/server_metrics.h"
#include "platform/log/log.h"
#include "platform/service/database.h"
#include "platform/service/metrics_server.h"
#include "platform/service/workers.h"
#include "services/cart/src/api/routes.h"
#include "services/cart/src/app.h"
#include "services/cart/src/clients/customers_client.h"

namespace cart {
namespace {

int Fail(const std::string& problem) {
  fmt::print(stderr, "cart: {}\n", problem);
  return 1;
}

}  // namespace

int Serve(const Config& config) {
  const std::size_t worker_count = config.service.workers;
  auto listeners =
      platform::http::Listener::Open(config.service.address, config.service.port, worker_count);
  if (!listeners) return Fail(listeners.error());
  const std::uint16_t port = listeners->front().port();

  const Routes routes = MakeRoutes();
  std::deque<platform::http::ServerMetrics> http_metrics;
  std::vector<std::shared_ptr<ValidationMetrics>> validation_metrics;
  platform::service::Workers workers(worker_count);
  platform::service::Readiness readiness(worker_count);
  std::vector<std::unique_ptr<App>> apps;
  std::vector<std::unique_ptr<platform::http::Server>> servers;
  for (std::size_t i = 0; i < worker_count; ++i) {
    validation_metrics.push_back(std::make_shared<ValidationMetrics>());
    apps.push_back(std::make_unique<App>(
        readiness, workers.executor(i), config.database,
        platform::service::MakeClientOptions("cart"),
        MakeTokenValidator(workers.executor(i), {.stream = {.customers = config.customers,
                                                            .metrics = validation_metrics[i]}})));
    App& app = *apps.back();
    boost::asio::co_spawn(workers.executor(i), platform::service::WatchReadiness(app, readiness, i),
                          boost::asio::detached);
    servers.push_back(std::make_unique<platform::http::Server>(
        workers.executor(i), std::move((*listeners)[i]),
        [&](const platform::http::Request& request) { return routes.Dispatch(app, request); },
        config.service.http, &http_metrics.emplace_back(routes.table())));
  }

  const auto metrics_server = platform::service::MetricsServer::Start(
      config.service.metrics_address, config.service.metrics_port, "cart",
      [&](platform::telemetry::Report& report) {
        readiness.ReportTo(report);
        for (const auto& metrics : http_metrics) metrics.ReportTo(report);
        for (const auto& app : apps) app->database.metrics().ReportTo(report);
        for (const auto& metrics : validation_metrics) metrics->ReportTo(report);
      });
  if (!metrics_server) return Fail(metrics_server.error());

  platform::log::Info("listening",
                      {{"protocol", "http"}, {"address", config.service.address}, {"port", port}});
  platform::log::Info("listening", {{"protocol", "metrics"},
                                    {"address", config.service.metrics_address},
                                    {"port", metrics_server->port()}});
  workers.RunUntilSignal([&](std::size_t worker) {
    readiness.Stop();
    return servers[worker]->Stop(config.service.shutdown_grace);
  });
  platform::log::Info("stopped");
  return 0;
}

}  // namespace cart
