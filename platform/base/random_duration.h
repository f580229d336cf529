#pragma once

#include <chrono>
#include <random>

namespace platform {

// Returns a random duration between the two, which keeps many clients or connections from doing the
// same at the same moment. Any thread.
inline std::chrono::milliseconds RandomDuration(std::chrono::milliseconds least,
                                                std::chrono::milliseconds most) {
  thread_local std::minstd_rand random{std::random_device{}()};
  std::uniform_int_distribution<std::chrono::milliseconds::rep> choice(least.count(), most.count());
  return std::chrono::milliseconds(choice(random));
}

}  // namespace platform
