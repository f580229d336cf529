#include "services/customers/src/auth/validation_metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace customers {
namespace {

using platform::Error;
using platform::Result;
using testing::HasSubstr;

TEST(ValidationMetrics, CountVerdictsAndBatches) {
  ValidationMetrics metrics;
  metrics.CountBatch(std::vector<Result<Identity>>{
      Identity{.id = 1}, Identity{.id = 2}, std::unexpected(Error::PermissionDenied("revoked")),
      std::unexpected(Error{.code = platform::ErrorCode::kUnauthenticated}),
      std::unexpected(Error::Unavailable())});
  metrics.CountBatch(std::vector<Result<Identity>>{Identity{.id = 3}});
  platform::telemetry::Report report;
  metrics.ReportTo(report);
  for (const char* line :
       {"verdicts_total{outcome=\"accepted\"} 3\n", "verdicts_total{outcome=\"refused\"} 2\n",
        "verdicts_total{outcome=\"failed\"} 1\n", "batch_tokens_count 2\n", "batch_tokens_sum 6\n",
        "batch_tokens_bucket{le=\"1\"} 1\n"}) {
    EXPECT_THAT(report.Text(), HasSubstr(line));
  }
}

}  // namespace
}  // namespace customers
