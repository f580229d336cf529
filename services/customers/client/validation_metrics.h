#pragma once

#include <chrono>
#include <memory>
#include <utility>

#include "platform/base/result.h"
#include "platform/telemetry/report.h"
#include "services/customers/client/caller.h"

namespace customers::client {

// The metrics of a TokenValidator. They may be used on any thread.
struct ValidationMetrics {
  platform::telemetry::Gauge in_flight;
  platform::telemetry::Histogram durations;
  platform::telemetry::Histogram batch_sizes{platform::telemetry::kSizes};
  platform::telemetry::Counter repeated;  // Sent again after the loss of a stream.
  platform::telemetry::Counter accepted;
  platform::telemetry::Counter refused;
  platform::telemetry::Counter failed;

  void ReportTo(platform::telemetry::Report& report) const;
};

// Counts one validation, from its construction until its verdict.
class CountedValidation {
 public:
  explicit CountedValidation(std::shared_ptr<ValidationMetrics> metrics)
      : metrics_(std::move(metrics)) {
    metrics_->in_flight.Add(1);
  }
  ~CountedValidation() { metrics_->in_flight.Add(-1); }
  CountedValidation(const CountedValidation&) = delete;
  CountedValidation& operator=(const CountedValidation&) = delete;

  void End(const platform::Result<Caller>& verdict);

 private:
  const std::shared_ptr<ValidationMetrics> metrics_;
  const std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();
};

}  // namespace customers::client
