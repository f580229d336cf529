#pragma once

#include <boost/asio/co_spawn.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "platform/http/router.h"
#include "platform/http/server.h"
#include "platform/http/server_metrics.h"
#include "platform/log/log.h"
#include "platform/service/health.h"
#include "platform/service/id_metrics.h"
#include "platform/service/metrics_server.h"
#include "platform/service/settings.h"
#include "platform/service/workers.h"
#include "platform/trace/tracer.h"

namespace platform::service {

// Logs a port on which the service listens.
inline void LogListening(std::string_view protocol, std::string_view address, std::uint16_t port) {
  log::Info("listening", {{"protocol", protocol}, {"address", address}, {"port", port}});
}

// A service in its process: worker threads, each with an App, an HTTP server and checks of the
// App's readiness, and a port for metrics. App has
//
//   Task<std::vector<Dependency>> CheckReadiness();  // On its worker's thread.
//   void ReportTo(telemetry::Report&) const;         // Its metrics. Any thread.
//   postgres::Client database;                       // On its worker's thread.
template <class App>
class RestService {
 public:
  using Executor = Workers::Executor;
  // Makes the App of one worker, whose thread does not run yet.
  using MakeApp = std::function<std::unique_ptr<App>(const Executor& executor, Readiness&)>;

  // Listens, but serves nothing before Run(). Throws std::runtime_error if it cannot listen.
  RestService(std::string name, const Settings& settings, http::Router<App> routes,
              const MakeApp& make_app)
      : name_(std::move(name)),
        settings_(settings),
        routes_(std::move(routes)),
        tracer_(settings.tracer ? std::make_unique<trace::Tracer>(*settings.tracer) : nullptr),
        workers_(settings.workers),
        readiness_(settings.workers) {
    auto listeners = http::Listener::Open(settings.address, settings.port, settings.workers);
    if (!listeners) throw std::runtime_error(listeners.error());
    port_ = listeners->front().port();
    http::ServerOptions http_options = settings.http;
    http_options.tracer = tracer_.get();
    for (std::size_t i = 0; i < settings.workers; ++i) {
      const Executor executor = workers_.executor(i);
      App& app = *apps_.emplace_back(make_app(executor, readiness_));
      boost::asio::co_spawn(executor, WatchReadiness(app, readiness_, i), RethrowOnLoop);
      servers_.push_back(std::make_unique<http::Server>(
          executor, std::move((*listeners)[i]),
          [this, &app](const http::Request& request) { return routes_.Dispatch(app, request); },
          http_options, &http_metrics_.emplace_back(routes_.table())));
    }
    boost::asio::co_spawn(workers_.executor(0), id_metrics_.Watch(apps_.front()->database),
                          RethrowOnLoop);
  }

  std::size_t worker_count() const { return apps_.size(); }
  Executor executor(std::size_t worker) const { return workers_.executor(worker); }
  App& app(std::size_t worker) { return *apps_[worker]; }
  Readiness& readiness() { return readiness_; }
  trace::Tracer* tracer() const { return tracer_.get(); }  // Null if no spans are recorded.

  // Serves until SIGTERM or SIGINT. Then it is no longer ready, finishes the requests in progress,
  // and calls `finish` with the rest of the time for stopping while the workers still run. `report`
  // adds metrics that belong to no worker; it is called on any thread. Call Run() once. Throws
  // std::runtime_error if it cannot listen on the metrics' port.
  void Run(
      const std::function<void(telemetry::Report&)>& report = [](telemetry::Report&) {},
      const std::function<void(std::chrono::milliseconds left)>& finish =
          [](std::chrono::milliseconds) {}) {
    const auto metrics_server = MetricsServer::Start(
        settings_.metrics_address, settings_.metrics_port, name_, [&](telemetry::Report& all) {
          readiness_.ReportTo(all);
          id_metrics_.ReportTo(all);
          trace::ReportSpans(tracer_.get(), all);
          for (const auto& metrics : http_metrics_) metrics.ReportTo(all);
          for (const auto& app : apps_) app->ReportTo(all);
          report(all);
        });
    if (!metrics_server) throw std::runtime_error(metrics_server.error());
    LogListening("http", settings_.address, port_);
    LogListening("metrics", settings_.metrics_address, metrics_server->port());

    using Clock = std::chrono::steady_clock;
    Clock::time_point deadline;
    workers_.RunUntilSignal(
        [&](std::size_t worker) {
          readiness_.Stop();
          deadline = Clock::now() + settings_.shutdown_grace;
          return servers_[worker]->Stop(settings_.shutdown_grace);
        },
        [&] {
          finish(std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()));
        });
    if (tracer_ != nullptr) tracer_->Stop(kLastSpans);
    log::Info("stopped");
  }

 private:
  // Time to send the last spans, after the last request.
  static constexpr std::chrono::seconds kLastSpans{2};

  // An exception that ends one of these tasks ends the process. Without the readiness checks, for
  // example, the service would seem ready for ever.
  static void RethrowOnLoop(const std::exception_ptr& exception) {
    if (exception) std::rethrow_exception(exception);
  }

  const std::string name_;
  const Settings settings_;
  const http::Router<App> routes_;
  // Outlives the workers, which record spans.
  const std::unique_ptr<trace::Tracer> tracer_;
  std::deque<http::ServerMetrics> http_metrics_;
  Workers workers_;
  Readiness readiness_;
  IdMetrics id_metrics_;
  std::vector<std::unique_ptr<App>> apps_;
  std::vector<std::unique_ptr<http::Server>> servers_;
  std::uint16_t port_ = 0;
};

}  // namespace platform::service
