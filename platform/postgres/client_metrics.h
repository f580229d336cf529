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

// What a client counts. ReportTo is for any thread, the rest for the client's.
class ClientMetrics {
 public:
  // Of one statement; lives as long as its client's metrics.
  struct Statement {
    telemetry::Histogram durations;
    // By SQLSTATE class, or by kind where the server did not speak; see ClientMetrics::mutex_.
    std::map<std::string, telemetry::Counter, std::less<>> errors;
  };

  // The statement of that name, which is one constant wherever it is called.
  Statement& Find(const char* name);

  void CountAnswer(Statement& statement, std::chrono::nanoseconds duration) {
    statement.durations.Observe(duration);
  }
  void CountError(Statement& statement, std::chrono::nanoseconds duration, const QueryError& error);

  struct LaneMetrics {
    telemetry::Gauge calls;  // Waiting or in flight.
    telemetry::Gauge limit;  // From where on calls are refused.
    telemetry::Gauge connections;
    telemetry::Counter failures;  // Connections lost or not made.
  };
  LaneMetrics& lane(Lane lane) { return lanes_[static_cast<std::size_t>(lane)]; }

  void ReportTo(telemetry::Report& report) const;

 private:
  std::array<LaneMetrics, kLaneCount> lanes_;
  // Only the client's thread changes the maps, and does so with the lock held: so that thread alone
  // may look into them without it.
  mutable std::mutex mutex_;
  std::unordered_map<const char*, Statement> statements_;
};

}  // namespace platform::postgres
