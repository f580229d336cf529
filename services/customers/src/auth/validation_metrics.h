#pragma once

#include <span>

#include "platform/base/result.h"
#include "platform/telemetry/report.h"
#include "services/customers/src/domain/identity.h"

namespace customers {

// A worker's metrics of the tokens that it validates for other services. Any thread.
class ValidationMetrics {
 public:
  // Counts the verdicts of one batch.
  void CountBatch(std::span<const platform::Result<Identity>> verdicts);

  void ReportTo(platform::telemetry::Report& report) const;

 private:
  platform::telemetry::Histogram batch_sizes_{platform::telemetry::kSizes};
  platform::telemetry::Counter accepted_;
  platform::telemetry::Counter refused_;
  platform::telemetry::Counter failed_;
};

}  // namespace customers
