#include "services/customers/src/auth/validation_metrics.h"

#include <cstdint>

namespace customers {
namespace {

using platform::ErrorCode;
using platform::telemetry::Metric;

constexpr Metric kVerdicts{"token_validation_server_verdicts_total",
                           "Tokens that other services asked about."};
constexpr Metric kBatches{"token_validation_server_batch_tokens",
                          "Tokens that were validated together."};

}  // namespace

void ValidationMetrics::CountBatch(std::span<const platform::Result<Identity>> verdicts) {
  batch_sizes_.Observe(std::uint64_t{verdicts.size()});
  std::uint64_t accepted = 0;
  std::uint64_t refused = 0;
  for (const auto& verdict : verdicts) {
    if (verdict) {
      ++accepted;
    } else if (verdict.error().code == ErrorCode::kUnauthenticated ||
               verdict.error().code == ErrorCode::kPermissionDenied) {
      ++refused;
    }
  }
  accepted_.Add(accepted);
  refused_.Add(refused);
  failed_.Add(verdicts.size() - accepted - refused);
}

void ValidationMetrics::ReportTo(platform::telemetry::Report& report) const {
  report.AddHistogram(kBatches, {}, batch_sizes_);
  report.AddCounter(kVerdicts, {{"outcome", "accepted"}}, accepted_);
  report.AddCounter(kVerdicts, {{"outcome", "refused"}}, refused_);
  report.AddCounter(kVerdicts, {{"outcome", "failed"}}, failed_);
}

}  // namespace customers
