#include "services/customers/client/validation_metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace customers::client {
namespace {

using platform::Error;
using platform::Result;
using testing::HasSubstr;

TEST(ValidationMetrics, CountVerdicts) {
  const auto metrics = std::make_shared<ValidationMetrics>();
  const auto end = [&](const Result<Caller>& verdict) {
    CountedValidation counted(metrics);
    EXPECT_EQ(metrics->in_flight.value(), 1);
    counted.End(verdict);
  };
  end(Caller{.id = 1});
  end(Caller{.id = 2});
  end(std::unexpected(Error::PermissionDenied("Token is revoked")));
  end(std::unexpected(Error::Unavailable()));
  {
    const CountedValidation abandoned(metrics);
  }
  metrics->repeated.Add(5);
  platform::telemetry::Report report;
  metrics->ReportTo(report);
  for (const char* line :
       {"verdicts_total{outcome=\"accepted\"} 2\n", "verdicts_total{outcome=\"refused\"} 1\n",
        "verdicts_total{outcome=\"failed\"} 1\n", "in_flight 0\n", "repeats_total 5\n",
        "duration_seconds_count 4\n"}) {
    EXPECT_THAT(report.Text(), HasSubstr(line));
  }
}

}  // namespace
}  // namespace customers::client
