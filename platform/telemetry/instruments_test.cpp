#include "platform/telemetry/instruments.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <thread>
#include <vector>

namespace platform::telemetry {
namespace {

using std::chrono::microseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

TEST(Instruments, Count) {
  Counter counter;
  counter.Add();
  counter.Add(3);
  EXPECT_EQ(counter.value(), 4U);
  Gauge gauge;
  gauge.Add(2);
  gauge.Add(-3);
  EXPECT_EQ(gauge.value(), -1);
}

TEST(Instruments, BoundsAscend) {
  for (const Buckets* buckets : {&kDurations, &kSizes}) {
    EXPECT_LE(buckets->bounds.size(), Buckets::kMaxBounds);
    EXPECT_TRUE(std::ranges::is_sorted(buckets->bounds, std::less_equal()));
  }
}

TEST(Histogram, PutsValuesUnderTheirBound) {
  Histogram histogram;
  histogram.Observe(nanoseconds(0));
  histogram.Observe(microseconds(100));  // A bound belongs to its bucket.
  histogram.Observe(microseconds(100) + nanoseconds(1));
  histogram.Observe(seconds(3600));
  EXPECT_EQ(histogram.CountIn(0), 2U);
  EXPECT_EQ(histogram.CountIn(1), 1U);
  EXPECT_EQ(histogram.CountIn(kDurations.bounds.size()), 1U);
  EXPECT_EQ(histogram.Count(), 4U);
  EXPECT_NEAR(histogram.Sum(), 3600.0002, 1e-6);
}

TEST(Histogram, TakesNothingForATimeThatRanBackwards) {
  Histogram histogram;
  histogram.Observe(nanoseconds(-5));
  EXPECT_EQ(histogram.CountIn(0), 1U);
  EXPECT_EQ(histogram.Sum(), 0);
}

TEST(Histogram, CountsSizesAsTheyAre) {
  Histogram histogram(kSizes);
  for (const unsigned size : {1U, 2U, 3U, 1024U, 1025U}) histogram.Observe(std::uint64_t{size});
  EXPECT_EQ(histogram.CountIn(0), 1U);
  EXPECT_EQ(histogram.CountIn(1), 1U);
  EXPECT_EQ(histogram.CountIn(2), 1U);
  EXPECT_EQ(histogram.CountIn(kSizes.bounds.size() - 1), 1U);
  EXPECT_EQ(histogram.CountIn(kSizes.bounds.size()), 1U);
  EXPECT_EQ(histogram.Sum(), 2055);
}

TEST(Instruments, LoseNothingBetweenThreads) {
  constexpr int kThreads = 4;
  constexpr int kTimes = 10'000;
  Counter counter;
  Gauge gauge;
  Histogram histogram(kSizes);
  {
    std::vector<std::jthread> threads;
    for (int thread = 0; thread < kThreads; ++thread) {
      threads.emplace_back([&] {
        for (int i = 0; i < kTimes; ++i) {
          counter.Add();
          gauge.Add(1);
          histogram.Observe(std::uint64_t{2});
          gauge.Add(-1);
        }
      });
    }
  }
  EXPECT_EQ(counter.value(), kThreads * kTimes);
  EXPECT_EQ(gauge.value(), 0);
  EXPECT_EQ(histogram.Count(), kThreads * kTimes);
  EXPECT_EQ(histogram.Sum(), 2.0 * kThreads * kTimes);
}

}  // namespace
}  // namespace platform::telemetry
