#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace platform::http {

// Limits the memory of requests that are being read or answered and of answers that are being sent,
// over all servers that share it. It must outlive its shares. Any thread.
class MemoryBudget {
 public:
  // The part of the budget that one connection uses. The destructor gives it back. A share belongs
  // to one thread.
  class Share {
   public:
    // `budget` may be null, for no limit.
    explicit Share(MemoryBudget* budget) : budget_(budget) {}
    ~Share() { Resize(0); }
    Share(const Share&) = delete;
    Share& operator=(const Share&) = delete;

    // Changes the share to this size. Returns false, and changes nothing, if the budget does not
    // suffice. If nobody else uses any of it, it always does, because otherwise an answer that is
    // larger than the budget could never be sent.
    bool Resize(std::size_t bytes);
    std::size_t bytes() const { return bytes_; }

   private:
    MemoryBudget* const budget_;
    std::size_t bytes_ = 0;
  };

  explicit MemoryBudget(std::size_t limit) : limit_(limit) {}

  std::size_t limit() const { return limit_; }
  std::size_t used() const { return used_.load(std::memory_order_relaxed); }
  // Returns how often the budget did not suffice.
  std::uint64_t failures() const { return failures_.load(std::memory_order_relaxed); }

 private:
  const std::size_t limit_;
  std::atomic<std::size_t> used_ = 0;
  std::atomic<std::uint64_t> failures_ = 0;
};

}  // namespace platform::http
