#pragma once

#include <thread>

namespace platform::service {

// A thread that returns freed memory to the system. By itself glibc keeps what lies below memory
// that is still in use, so one burst of large requests would take the memory for good.
class MemoryTrimmer {
 public:
  MemoryTrimmer();

 private:
  std::jthread thread_;
};

}  // namespace platform::service
