#pragma once

#include <thread>

namespace platform::service {

// Lets threads share arenas, one for each four cores. By default glibc makes one for each thread,
// and memory that was freed in one of them is of no use to the others. Call it while the process
// has a single thread.
void ShareArenas();

// A thread that returns freed memory to the system. By itself glibc keeps what lies below memory
// that is still in use, so one burst of large requests would take the memory for good.
class MemoryTrimmer {
 public:
  MemoryTrimmer();

 private:
  std::jthread thread_;
};

}  // namespace platform::service
