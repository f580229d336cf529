#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace platform::security {

// Returns `bytes` unpredictable bytes as 2 * `bytes` lower-case hexadecimal digits. Any thread.
// Random bytes are drawn from the system in bulk, so that a request's ids cost no system call.
std::string RandomHex(std::size_t bytes);

// Does the same, into `digits`, whose size must be even.
void FillRandomHex(std::span<char> digits);

}  // namespace platform::security
