#include "platform/http/server_metrics.h"

#include <algorithm>

namespace platform::http {
namespace {

using telemetry::Metric;

constexpr Metric kRequests{"http_server_requests_total", "Requests answered."};
constexpr Metric kDuration{"http_server_request_duration_seconds",
                           "Time from a whole request to its answer, without sending it."};
constexpr Metric kInFlight{"http_server_requests_in_flight", "Requests being worked on."};
constexpr Metric kRefusals{
    "http_server_refused_requests_total",
    "Requests refused: malformed, too large or too slow, or memory was short."};
constexpr Metric kConnections{"http_server_connections", "Open connections."};
constexpr Metric kAccepted{"http_server_connections_accepted_total", "Connections accepted."};
constexpr Metric kRefused{"http_server_connections_refused_total",
                          "Connections closed because too many were open, or memory was short."};

// Label of requests without a route; no route has this pattern.
constexpr std::string_view kUnknownRoute = "unknown";

constexpr std::array<std::string_view, 5> kClassNames{"1xx", "2xx", "3xx", "4xx", "5xx"};

std::size_t ClassOf(unsigned status) {
  return std::clamp<std::size_t>(status / 100, 1, kClassNames.size()) - 1;
}

// The series of successes and errors exist from the start, so that Prometheus sees the first
// event as an increase.
bool IsAlwaysReported(std::size_t status_class) {
  return status_class == ClassOf(200) || status_class == ClassOf(400) ||
         status_class == ClassOf(500);
}

}  // namespace

ServerMetrics::ServerMetrics(const RouteTable& routes)
    : routes_(routes.routes().size()), unknown_(static_cast<std::size_t>(Method::kOther) + 1) {
  for (std::size_t i = 0; i < routes_.size(); ++i) {
    routes_[i].method = Name(routes.routes()[i].method);
    routes_[i].route = routes.routes()[i].pattern;
  }
  for (std::size_t method = 0; method < unknown_.size(); ++method) {
    const std::string_view name = Name(static_cast<Method>(method));
    unknown_[method].method = name.empty() ? "OTHER" : name;
    unknown_[method].route = kUnknownRoute;
  }
}

void ServerMetrics::CountRequest(Method method, const Response& response,
                                 std::chrono::nanoseconds duration) {
  Series& series = response.route_index < routes_.size()
                       ? routes_[response.route_index]
                       : unknown_[static_cast<std::size_t>(method)];
  series.durations[ClassOf(response.status)].Observe(duration);
}

void ServerMetrics::CountRefusal(unsigned status) { refusals_[ClassOf(status)].Add(); }

void ServerMetrics::ReportTo(telemetry::Report& report) const {
  for (const auto* all : {&routes_, &unknown_}) {
    for (const Series& series : *all) {
      for (std::size_t i = 0; i < kStatusClasses; ++i) {
        const telemetry::Histogram& durations = series.durations[i];
        const std::uint64_t count = durations.Count();
        if (count == 0 && (all == &unknown_ || !IsAlwaysReported(i))) continue;
        const telemetry::Labels labels = {
            {"method", series.method}, {"route", series.route}, {"status", kClassNames[i]}};
        report.AddCounter(kRequests, labels, static_cast<double>(count));
        if (count != 0) report.AddHistogram(kDuration, labels, durations);
      }
    }
  }
  for (const unsigned status : {400U, 500U}) {
    report.AddCounter(kRefusals, {{"status", kClassNames[ClassOf(status)]}},
                      refusals_[ClassOf(status)]);
  }
  report.AddGauge(kInFlight, {}, requests_in_flight);
  report.AddGauge(kConnections, {}, connections);
  report.AddCounter(kAccepted, {}, connections_accepted);
  report.AddCounter(kRefused, {{"reason", "client"}}, connections_refused_by_client);
  report.AddCounter(kRefused, {{"reason", "full"}}, connections_refused);
  report.AddCounter(kRefused, {{"reason", "displaced"}}, connections_displaced);
  report.AddCounter(kRefused, {{"reason", "slow"}}, connections_slow);
}

}  // namespace platform::http
