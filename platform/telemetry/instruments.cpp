#include "platform/telemetry/instruments.h"

namespace platform::telemetry {
namespace {

constexpr std::uint64_t kMicrosecond = 1'000;
constexpr std::uint64_t kMillisecond = 1'000'000;
constexpr std::uint64_t kSecond = 1'000'000'000;

constexpr auto kDurationBounds = std::to_array<std::uint64_t>({
    100 * kMicrosecond,
    250 * kMicrosecond,
    500 * kMicrosecond,  //
    1 * kMillisecond,
    2'500 * kMicrosecond,
    5 * kMillisecond,  //
    10 * kMillisecond,
    25 * kMillisecond,
    50 * kMillisecond,  //
    100 * kMillisecond,
    250 * kMillisecond,
    500 * kMillisecond,  //
    1 * kSecond,
    2'500 * kMillisecond,
    5 * kSecond,  //
    10 * kSecond,
});
static_assert(kDurationBounds.size() <= Buckets::kMaxBounds);

constexpr auto kSizeBounds =
    std::to_array<std::uint64_t>({1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024});
static_assert(kSizeBounds.size() <= Buckets::kMaxBounds);

constexpr double kNanosecond = 1e-9;

}  // namespace

constinit const Buckets kDurations{.bounds = kDurationBounds, .unit = kNanosecond};
constinit const Buckets kSizes{.bounds = kSizeBounds};

std::uint64_t Histogram::Count() const {
  std::uint64_t count = 0;
  for (const auto& bucket : counts_) count += bucket.load(std::memory_order_relaxed);
  return count;
}

double Histogram::Sum() const {
  return static_cast<double>(sum_.load(std::memory_order_relaxed)) * buckets_->unit;
}

}  // namespace platform::telemetry
