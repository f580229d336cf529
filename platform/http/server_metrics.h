#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "platform/http/message.h"
#include "platform/http/route_table.h"
#include "platform/telemetry/report.h"

namespace platform::http {

// The metrics of one server, which they must outlive. Any thread.
class ServerMetrics {
 public:
  // `routes` are the routes that the server answers.
  explicit ServerMetrics(const RouteTable& routes);

  // Counts a request that the handler has answered. HEAD counts as its route's GET. Requests that
  // no route matched are one series for each method, whatever their paths.
  void CountRequest(Method method, const Response& response, std::chrono::nanoseconds duration);
  // Counts a request that was malformed, too large or too slow, and was answered with this status.
  void CountRefusal(unsigned status);

  telemetry::Gauge requests_in_flight;
  telemetry::Gauge connections;
  telemetry::Counter connections_accepted;
  // Connections beyond the limits: of one client, and in all.
  telemetry::Counter connections_refused_by_client;
  telemetry::Counter connections_refused;
  telemetry::Counter connections_displaced;  // Closed while waiting for a request, to make room.
  telemetry::Counter connections_slow;       // Closed because they kept memory that others needed.

  void ReportTo(telemetry::Report& report) const;

 private:
  static constexpr std::size_t kStatusClasses = 5;

  // The requests of one route, by status class.
  struct Series {
    std::string_view method;
    std::string route;
    std::array<telemetry::Histogram, kStatusClasses> durations;
  };

  std::vector<Series> routes_;   // In the order of the route table.
  std::vector<Series> unknown_;  // By method.
  std::array<telemetry::Counter, kStatusClasses> refusals_;
};

}  // namespace platform::http
