#pragma once

#include <algorithm>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <cstddef>
#include <exception>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "platform/http/router.h"
#include "platform/log/log.h"
#include "platform/postgres/client.h"
#include "platform/telemetry/report.h"

namespace platform::service {

// Something a service cannot answer without.
struct Dependency {
  std::string_view name;
  bool is_ready = false;
};

// Whether the database answers, has taken a connection of each lane, and is at the schema version
// that this program was built for. With so many statements waiting that no more may be asked, it
// counts as answering: a loaded replica stays in service.
Task<bool> IsDatabaseReady(postgres::Client& database, int schema_version);

// What the workers of a service have found out about its dependencies. From any thread.
class Readiness {
 public:
  explicit Readiness(std::size_t workers) : reports_(workers) {}

  // A worker's latest findings. Logs when the service becomes ready, and when it waits for
  // something else than before.
  void Report(std::size_t worker, std::vector<Dependency> dependencies);

  // The service is stopping: not ready from now on.
  void Stop();

  // Calls `tell` with whether the service is ready: now, and whenever that changes, one call at a
  // time. It must not call the Readiness. None comes after Stop() has returned. Before the first
  // Report.
  void OnChange(std::function<void(bool is_ready)> tell);

  // 200 where every worker found every dependency ready, else 503; the body names each of them.
  http::Response ToResponse() const;

  // The same as gauges.
  void ReportTo(telemetry::Report& report) const;

 private:
  struct Finding {
    bool is_ready = false;
    std::vector<Dependency> dependencies;  // Each once.
  };
  Finding Find() const;
  // The following two with the lock held.
  bool IsReady() const;
  void TellChange();

  mutable std::mutex mutex_;
  std::vector<std::vector<Dependency>> reports_;  // By worker; empty until the first report.
  std::string waiting_for_ = "the first check";
  bool is_stopping_ = false;
  std::function<void(bool)> tell_ = [](bool) {};
  bool told_ready_ = false;
};

// How long a finding holds: shorter while something is missing, so that its return counts at once.
inline constexpr std::chrono::milliseconds kReadyPeriod{1000};
inline constexpr std::chrono::milliseconds kUnreadyPeriod{100};

// Checks one worker's dependencies for ever. Where the check itself throws, "check" is what the
// service waits for. App has
//
//   Task<std::vector<Dependency>> CheckReadiness();
template <class App>
Task<void> WatchReadiness(App& app, Readiness& readiness, std::size_t worker) {
  boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor);
  for (;;) {
    std::vector<Dependency> dependencies;
    try {
      dependencies = co_await app.CheckReadiness();
    } catch (const std::exception& error) {
      log::Error("readiness check failed", {{"error", error.what()}});
      dependencies = {{"check", false}};
    }
    const bool is_ready = std::ranges::all_of(dependencies, &Dependency::is_ready);
    readiness.Report(worker, std::move(dependencies));
    timer.expires_after(is_ready ? kReadyPeriod : kUnreadyPeriod);
    co_await timer.async_wait(boost::asio::use_awaitable);
  }
}

// Adds GET /healthz, which tells that the process is alive, and GET /readyz, which tells whether it
// can do its work, as `App::readiness`, a Readiness&, knows it.
template <class App>
void AddHealthRoutes(http::Router<App>& routes) {
  routes.AddRaw(http::Method::kGet, "/healthz",
                [](App&, const http::Request&) -> Task<http::Response> {
                  co_return http::Response{.body = R"({"data":{"alive":true}})"};
                });
  routes.AddRaw(http::Method::kGet, "/readyz",
                [](App& app, const http::Request&) -> Task<http::Response> {
                  co_return app.readiness.ToResponse();
                });
}

}  // namespace platform::service
