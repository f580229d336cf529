#include "platform/service/memory_trimmer.h"

#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <mutex>
#include <stop_token>
#include <thread>

namespace platform::service {
namespace {

constexpr int kLargeBlock = 1024 * 1024;
constexpr std::chrono::milliseconds kInterval{250};
// Freed memory that is worth a call of malloc_trim(), which takes a millisecond or more and holds
// up allocations meanwhile.
constexpr std::int64_t kWorthTrimming = std::int64_t{4} * 1024 * 1024;

// Returns the resident memory that is not in use by malloc's callers: the program, its stacks, and
// what has been freed.
std::int64_t ResidentAndUnused() {
  std::int64_t all_pages = 0;
  std::int64_t resident_pages = 0;
  std::ifstream("/proc/self/statm") >> all_pages >> resident_pages;
  const struct mallinfo2 info = mallinfo2();
  return (resident_pages * sysconf(_SC_PAGESIZE)) -
         static_cast<std::int64_t>(info.uordblks + info.hblkhd);
}

void Run(const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any stopped;
  std::unique_lock lock(mutex);
  std::int64_t least = ResidentAndUnused();
  for (;;) {
    stopped.wait_for(lock, stop, kInterval, [] { return false; });
    if (stop.stop_requested()) return;
    const std::int64_t now = ResidentAndUnused();
    least = std::min(least, now);
    if (now < least + kWorthTrimming) continue;
    malloc_trim(0);
    least = ResidentAndUnused();
  }
}

}  // namespace

void ShareArenas() {
  constexpr int kCoresPerArena = 4;
  const int cores = static_cast<int>(std::thread::hardware_concurrency());
  mallopt(M_ARENA_MAX, std::max(1, cores / kCoresPerArena));
}

MemoryTrimmer::MemoryTrimmer() {
  // Blocks of this size get pages of their own, which go back as soon as they are freed. If it is
  // not set, glibc raises the size to that of the largest block that has been freed.
  mallopt(M_MMAP_THRESHOLD, kLargeBlock);
  mallopt(M_TRIM_THRESHOLD, kLargeBlock);
  thread_ = std::jthread(Run);
}

}  // namespace platform::service
