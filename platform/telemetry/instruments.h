#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>

// Instruments that count events while a request is served, without locks, look-ups or allocation.
// All functions may be called from any thread. Each worker has instruments of its own, so that no
// worker waits for another's cache line; Report adds them up.
namespace platform::telemetry {

// Counts how often an event happened.
class Counter {
 public:
  void Add(std::uint64_t times = 1) { value_.fetch_add(times, std::memory_order_relaxed); }
  std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_ = 0;
};

// Holds a current number, such as that of open connections.
class Gauge {
 public:
  void Add(std::int64_t change) { value_.fetch_add(change, std::memory_order_relaxed); }
  std::int64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::int64_t> value_ = 0;
};

// The buckets of a histogram. Observed values are whole numbers, which are multiplied by `unit`
// when they are exported.
struct Buckets {
  static constexpr std::size_t kMaxBounds = 16;

  std::span<const std::uint64_t> bounds;  // Upper and inclusive; ascending; at most kMaxBounds.
  double unit = 1;
};

// Buckets for durations, observed in nanoseconds and exported in seconds: 100 µs to 10 s.
extern const Buckets kDurations;
// Buckets for sizes of batches: 1 to 1024 by powers of two.
extern const Buckets kSizes;

// Counts how values are distributed over buckets, which must outlive it.
class Histogram {
 public:
  Histogram() : Histogram(kDurations) {}
  explicit Histogram(const Buckets& buckets) : buckets_(&buckets) {}

  void Observe(std::uint64_t value) {
    std::size_t bucket = 0;
    for (const std::uint64_t bound : buckets_->bounds) bucket += value > bound ? 1 : 0;
    counts_[bucket].fetch_add(1, std::memory_order_relaxed);
    sum_.fetch_add(value, std::memory_order_relaxed);
  }
  void Observe(std::chrono::nanoseconds duration) {
    Observe(duration.count() < 0 ? 0 : static_cast<std::uint64_t>(duration.count()));
  }

  const Buckets& buckets() const { return *buckets_; }
  // Returns the count of this bucket alone. The bucket after the last bound counts larger values.
  std::uint64_t CountIn(std::size_t bucket) const {
    return counts_[bucket].load(std::memory_order_relaxed);
  }
  std::uint64_t Count() const;
  // Returns the sum in the exported unit.
  double Sum() const;

 private:
  const Buckets* buckets_;
  std::array<std::atomic<std::uint64_t>, Buckets::kMaxBounds + 1> counts_{};
  std::atomic<std::uint64_t> sum_ = 0;
};

}  // namespace platform::telemetry
