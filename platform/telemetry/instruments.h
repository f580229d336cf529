#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>

// What code counts with, on the way of a request: no locks, no look-ups, no memory taken. All
// functions are for any thread; give each worker instruments of its own, so that none waits for
// another's cache line. Report adds them up.
namespace platform::telemetry {

// How often something happened.
class Counter {
 public:
  void Add(std::uint64_t times = 1) { value_.fetch_add(times, std::memory_order_relaxed); }
  std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_ = 0;
};

// How many there are now.
class Gauge {
 public:
  void Add(std::int64_t change) { value_.fetch_add(change, std::memory_order_relaxed); }
  std::int64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::int64_t> value_ = 0;
};

// The buckets of a histogram: what it observes are whole numbers, and are exported times `unit`.
struct Buckets {
  static constexpr std::size_t kMaxBounds = 16;

  std::span<const std::uint64_t> bounds;  // Upper and inclusive; ascending; at most kMaxBounds.
  double unit = 1;
};

// Durations, observed in nanoseconds and exported in seconds: 100 µs to 10 s.
extern const Buckets kDurations;
// Sizes of batches: 1 to 1024 by powers of two.
extern const Buckets kSizes;

// How values are distributed. Refers to its buckets, which must outlive it.
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
  // Of the bucket alone; the one after the last bound holds what is larger.
  std::uint64_t CountIn(std::size_t bucket) const {
    return counts_[bucket].load(std::memory_order_relaxed);
  }
  std::uint64_t Count() const;
  // In the exported unit.
  double Sum() const;

 private:
  const Buckets* buckets_;
  std::array<std::atomic<std::uint64_t>, Buckets::kMaxBounds + 1> counts_{};
  std::atomic<std::uint64_t> sum_ = 0;
};

}  // namespace platform::telemetry
