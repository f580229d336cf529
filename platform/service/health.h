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

inline constexpr std::string_view kHealthPath = "/healthz";
inline constexpr std::string_view kReadinessPath = "/readyz";

// A part without which a service cannot work, such as its database.
struct Dependency {
  std::string_view name;
  bool is_ready = false;
};

// Returns whether the database answers in each lane, accepts writes, and is at the schema version
// that this program was built for. A full queue of statements counts as an answer, and so does a
// statement that waits for others in the lanes of writes and searches, so that a loaded replica
// stays in service.
Task<bool> IsDatabaseReady(postgres::Client& database, int schema_version);

// Collects the findings of a service's workers about its dependencies. Any thread.
class Readiness {
 public:
  explicit Readiness(std::size_t workers) : reports_(workers) {}

  // Sets a worker's latest findings. Logs when the service becomes ready, and when the missing
  // dependencies change.
  void Report(std::size_t worker, std::vector<Dependency> dependencies);

  // Makes the service not ready from now on, because it is stopping.
  void Stop();

  // Calls `tell` with the current state, and again whenever the state changes, one call at a time.
  // `tell` must not call the Readiness. It is not called after Stop() has returned. Call OnChange
  // before the first Report.
  void OnChange(std::function<void(bool is_ready)> tell);

  // Returns 200 if every worker found every dependency ready, otherwise 503. The body names each
  // dependency.
  http::Response ToResponse() const;

  // Reports the same as gauges.
  void ReportTo(telemetry::Report& report) const;

 private:
  struct Finding {
    bool is_ready = false;
    std::vector<Dependency> dependencies;  // Each once.
  };
  Finding Find() const;
  // Call these two with the lock held.
  bool IsReady() const;
  void TellChange();

  mutable std::mutex mutex_;
  std::vector<std::vector<Dependency>> reports_;  // By worker; empty until the first report.
  std::string waiting_for_ = "the first check";
  bool is_stopping_ = false;
  std::function<void(bool)> tell_ = [](bool) {};
  bool told_ready_ = false;
};

// Time between two checks. It is shorter while a dependency is missing, so that its return is
// noticed at once: at first it is very short, because at the start a service lacks nothing but its
// connections, and then it doubles.
inline constexpr std::chrono::milliseconds kReadyPeriod{1000};
inline constexpr std::chrono::milliseconds kFirstUnreadyPeriod{5};
inline constexpr std::chrono::milliseconds kUnreadyPeriod{100};

// Checks one worker's dependencies for ever. If the check itself throws, it reports a missing
// dependency "check". App has
//
//   Task<std::vector<Dependency>> CheckReadiness();
template <class App>
Task<void> WatchReadiness(App& app, Readiness& readiness, std::size_t worker) {
  boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor);
  auto unready_period = kFirstUnreadyPeriod;
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
    timer.expires_after(is_ready ? kReadyPeriod : unready_period);
    unready_period = is_ready ? kFirstUnreadyPeriod : std::min(2 * unready_period, kUnreadyPeriod);
    co_await timer.async_wait(boost::asio::use_awaitable);
  }
}

// Adds GET /healthz, which reports that the process is alive, and GET /readyz, which reports the
// state of `App::readiness`, a Readiness&.
template <class App>
void AddHealthRoutes(http::Router<App>& routes) {
  routes.AddRaw(http::Method::kGet, kHealthPath,
                [](App&, const http::Request&) -> Task<http::Response> {
                  co_return http::Response{.body = R"({"data":{"alive":true}})"};
                });
  routes.AddRaw(http::Method::kGet, kReadinessPath,
                [](App& app, const http::Request&) -> Task<http::Response> {
                  co_return app.readiness.ToResponse();
                });
}

}  // namespace platform::service
