#include "services/customers/src/service.h"

#include <fmt/core.h>
#include <grpcpp/impl/service_type.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <chrono>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "platform/grpc/server.h"
#include "platform/http/server.h"
#include "platform/http/server_metrics.h"
#include "platform/log/log.h"
#include "platform/service/database.h"
#include "platform/service/metrics_server.h"
#include "platform/service/workers.h"
#include "services/customers/src/api/routes.h"
#include "services/customers/src/app.h"
#include "services/customers/src/rpc/token_validation.h"
#include "services/customers/src/rpc/user_auth.h"

namespace customers {
namespace {

// Passwords that may wait for each hash thread. How long they wait is the pool's to bound: an
// argon2id hash takes some twenty milliseconds, one of the reference's ten times as long.
constexpr std::size_t kHashQueuePerThread = 64;

int Fail(const std::string& problem) {
  fmt::print(stderr, "customers: {}\n", problem);
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
  platform::service::Workers workers(worker_count);
  const std::size_t cores = std::max(1U, std::thread::hardware_concurrency());
  platform::security::HashPool hashes(cores, cores * kHashQueuePerThread);
  const platform::security::TokenCodec tokens(TokenSecrets(config));
  platform::service::Readiness readiness(worker_count);

  std::vector<std::unique_ptr<App>> apps;
  std::vector<std::unique_ptr<platform::http::Server>> servers;
  std::vector<ValidationWorker> validation_workers;
  for (std::size_t i = 0; i < worker_count; ++i) {
    apps.push_back(std::make_unique<App>(config, hashes, tokens, readiness, workers.executor(i),
                                         platform::service::MakeClientOptions("customers")));
    App& app = *apps.back();
    boost::asio::co_spawn(workers.executor(i), platform::service::WatchReadiness(app, readiness, i),
                          boost::asio::detached);
    servers.push_back(std::make_unique<platform::http::Server>(
        workers.executor(i), std::move((*listeners)[i]),
        [&](const platform::http::Request& request) { return routes.Dispatch(app, request); },
        config.service.http, &http_metrics.emplace_back(routes.table())));
    validation_workers.push_back({.executor = workers.executor(i),
                                  .validate = [&app](std::vector<std::string_view> authorizations) {
                                    return app.authenticator.Validate(std::move(authorizations));
                                  }});
  }

  const auto user_auth = MakeUserAuthService(validation_workers);
  TokenValidationService token_validation(std::move(validation_workers));
  platform::grpc::Server rpc_server(
      {.address = config.grpc_address, .port = config.grpc_port, .tls = config.tls});
  grpc::Service* const services[] = {user_auth.get(), &token_validation.service()};
  const auto grpc_port = rpc_server.Start(services);
  if (!grpc_port) return Fail(grpc_port.error());
  readiness.OnChange([&](bool is_ready) { rpc_server.SetServing(is_ready); });

  const auto metrics_server = platform::service::MetricsServer::Start(
      config.service.metrics_address, config.service.metrics_port, "customers",
      [&](platform::telemetry::Report& report) {
        readiness.ReportTo(report);
        hashes.ReportTo(report);
        for (const auto& metrics : http_metrics) metrics.ReportTo(report);
        for (const auto& app : apps) app->ReportTo(report);
      });
  if (!metrics_server) return Fail(metrics_server.error());

  platform::log::Info("listening",
                      {{"protocol", "http"}, {"address", config.service.address}, {"port", port}});
  platform::log::Info(
      "listening", {{"protocol", "grpc"}, {"address", config.grpc_address}, {"port", *grpc_port}});
  platform::log::Info("listening", {{"protocol", "metrics"},
                                    {"address", config.service.metrics_address},
                                    {"port", metrics_server->port()}});
  // One grace for all: gRPC gets what HTTP has left of it.
  std::chrono::steady_clock::time_point deadline;
  workers.RunUntilSignal(
      [&](std::size_t worker) {
        readiness.Stop();
        deadline = std::chrono::steady_clock::now() + config.service.shutdown_grace;
        return servers[worker]->Stop(config.service.shutdown_grace);
      },
      [&] {
        token_validation.EndStreams();
        const auto left = deadline - std::chrono::steady_clock::now();
        rpc_server.Shutdown(std::chrono::duration_cast<std::chrono::milliseconds>(left));
      });
  platform::log::Info("stopped");
  return 0;
}

}  // namespace customers
