#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "platform/base/task.h"
#include "platform/postgres/client.h"
#include "platform/telemetry/report.h"

namespace platform::service {

// The number of ids that each sequence of a service's database can still give out. Sequences do not
// go back, so one that is at its end makes every insertion into its table fail.
class IdMetrics {
 public:
  // Reads the sequences of the schema once a minute, for ever, and soon again after a failure. Runs
  // on the event loop of `database`.
  Task<void> Watch(postgres::Client& database);

  // Reports a gauge for each sequence, or nothing before the first success. Any thread.
  void ReportTo(telemetry::Report& report) const;

 private:
  struct Sequence {
    std::string name;
    std::int64_t ids_left = 0;
  };

  Task<bool> Read(postgres::Client& database);

  mutable std::mutex mutex_;
  std::vector<Sequence> sequences_;
};

}  // namespace platform::service
