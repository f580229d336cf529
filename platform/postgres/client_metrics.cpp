#include "platform/postgres/client_metrics.h"

namespace platform::postgres {
namespace {

using telemetry::Metric;

constexpr Metric kDuration{"db_client_operation_duration_seconds",
                           "Time from a statement's call to its end, waiting included."};
constexpr Metric kErrors{"db_client_operation_errors_total",
                         "Failed statements, by class of SQLSTATE or kind of failure."};
constexpr Metric kCalls{"db_client_operations_in_flight", "Statements that wait or are sent."};
constexpr Metric kLimit{"db_client_operations_limit",
                        "Statements that may wait or be sent; one more fails at once."};
constexpr Metric kConnections{"db_client_connections", "Connections that are up."};
constexpr Metric kFailures{"db_client_connection_failures_total",
                           "Connections that were lost or could not be made."};

constexpr std::array<std::string_view, kLaneCount> kLaneNames{"key_read", "write", "search"};
static_assert(static_cast<int>(Lane::kKeyRead) == 0 && static_cast<int>(Lane::kWrite) == 1 &&
              static_cast<int>(Lane::kSearch) == 2);

constexpr std::size_t kClassLength = 2;

// Returns the class of the SQLSTATE, or the name of the error's kind.
std::string_view NameOf(const QueryError& error) {
  const std::string_view type = TypeOf(error);
  return error.kind == QueryError::Kind::kRejected ? type.substr(0, kClassLength) : type;
}

}  // namespace

ClientMetrics::Statement& ClientMetrics::Find(const char* name) {
  if (const auto found = statements_.find(name); found != statements_.end()) {
    return found->second;
  }
  const std::scoped_lock lock(mutex_);
  Statement& statement = statements_[name];
  // These series exist from the start, so that Prometheus sees the first error as an increase.
  for (const char* error : {"overloaded", "timeout", "unavailable"}) statement.errors[error];
  return statement;
}

void ClientMetrics::CountError(Statement& statement, std::chrono::nanoseconds duration,
                               const QueryError& error) {
  statement.durations.Observe(duration);
  const std::scoped_lock lock(mutex_);
  statement.errors[std::string(NameOf(error))].Add();
}

void ClientMetrics::ReportTo(telemetry::Report& report) const {
  for (std::size_t i = 0; i < lanes_.size(); ++i) {
    const telemetry::Labels labels = {{"lane", kLaneNames[i]}};
    report.AddGauge(kCalls, labels, lanes_[i].calls);
    report.AddGauge(kLimit, labels, lanes_[i].limit);
    report.AddGauge(kConnections, labels, lanes_[i].connections);
    report.AddCounter(kFailures, labels, lanes_[i].failures);
  }
  const std::scoped_lock lock(mutex_);
  for (const auto& [name, statement] : statements_) {
    report.AddHistogram(kDuration, {{"statement", name}}, statement.durations);
    for (const auto& [error, count] : statement.errors) {
      report.AddCounter(kErrors, {{"statement", name}, {"error", error}}, count);
    }
  }
}

}  // namespace platform::postgres
