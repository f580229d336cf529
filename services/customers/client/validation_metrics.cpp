#include "services/customers/client/validation_metrics.h"

namespace customers::client {
namespace {

using platform::telemetry::Metric;

constexpr Metric kInFlight{"token_validation_client_in_flight",
                           "Tokens that customers is being asked about."};
constexpr Metric kDuration{"token_validation_client_duration_seconds",
                           "Time from a question about a token to its answer."};
constexpr Metric kBatches{"token_validation_client_batch_tokens",
                          "Tokens that were sent together over a stream."};
constexpr Metric kRepeats{"token_validation_client_repeats_total",
                          "Tokens that were asked about once more because a stream was lost."};
constexpr Metric kVerdicts{"token_validation_client_verdicts_total",
                           "Tokens that customers was asked about."};

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

void CountedValidation::End(const platform::Result<Caller>& answer) {
  metrics_->durations.Observe(std::chrono::steady_clock::now() - begun_);
  if (answer) {
    metrics_->accepted.Add();
  } else if (answer.error().code == platform::ErrorCode::kPermissionDenied) {
    metrics_->refused.Add();
  } else {
    metrics_->failed.Add();
  }
}

}  // namespace customers::client
