#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "platform/postgres/query_error.h"
#include "platform/postgres/statement.h"
#include "platform/telemetry/report.h"

namespace platform::postgres {

// The metrics of a client. Call ReportTo on any thread, the other functions on the client's thread.
class ClientMetrics {
 public:
  // The metrics of one statement. They live as long as the client's metrics.
  struct Statement {
    telemetry::Histogram durations;
    // By SQLSTATE class, or by kind if the error is not the server's; see ClientMetrics::mutex_.
    std::map<std::string, telemetry::Counter, std::less<>> errors;
  };

  // Returns the statement of this name. The name is one constant, which is compared by address.
  Statement& Find(const char* name);

  void CountAnswer(Statement& statement, std::chrono::nanoseconds duration) {
    statement.durations.Observe(duration);
  }
  void CountError(Statement& statement, std::chrono::nanoseconds duration, const QueryError& error);

  struct LaneMetrics {
    telemetry::Gauge calls;  // Waiting or in flight.
    telemetry::Gauge limit;  // Maximum number of calls; further calls are refused.
    telemetry::Gauge connections;
    telemetry::Counter failures;  // Lost connections and failed attempts to connect.
  };
  LaneMetrics& lane(Lane lane) { return lanes_[static_cast<std::size_t>(lane)]; }

  void ReportTo(telemetry::Report& report) const;

 private:
  std::array<LaneMetrics, kLaneCount> lanes_;
  // Only the client's thread changes the maps, with the lock held. So only that thread may read
  // them without the lock.
  mutable std::mutex mutex_;
  std::unordered_map<const char*, Statement> statements_;
};

}  // namespace platform::postgres
