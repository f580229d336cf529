#include "services/customers/client/validation_metrics.h"

namespace customers::client {
namespace {

using platform::telemetry::Metric;

constexpr Metric kInFlight{"token_validation_client_in_flight",
                           "Tokens being validated by the customers service."};
constexpr Metric kDuration{"token_validation_client_duration_seconds",
                           "Time from the start of a validation to its verdict."};
constexpr Metric kBatches{"token_validation_client_batch_tokens",
                          "Tokens sent together over a stream."};
constexpr Metric kRepeats{"token_validation_client_repeats_total",
                          "Tokens sent once more because a stream was lost."};
constexpr Metric kVerdicts{"token_validation_client_verdicts_total",
                           "Validated tokens, by outcome."};

}  // namespace

void ValidationMetrics::ReportTo(platform::telemetry::Report& report) const {
  report.AddGauge(kInFlight, {}, in_flight);
  report.AddHistogram(kDuration, {}, durations);
  report.AddHistogram(kBatches, {}, batch_sizes);
  report.AddCounter(kRepeats, {}, repeated);
  report.AddCounter(kVerdicts, {{"outcome", "accepted"}}, accepted);
  report.AddCounter(kVerdicts, {{"outcome", "refused"}}, refused);
  report.AddCounter(kVerdicts, {{"outcome", "failed"}}, failed);
}

void CountedValidation::End(const platform::Result<Caller>& verdict) {
  metrics_->durations.Observe(std::chrono::steady_clock::now() - begun_);
  if (verdict) {
    metrics_->accepted.Add();
  } else if (verdict.error().code == platform::ErrorCode::kPermissionDenied) {
    metrics_->refused.Add();
  } else {
    metrics_->failed.Add();
  }
}

}  // namespace customers::client
