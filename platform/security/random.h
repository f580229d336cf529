#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace platform::security {

// `bytes` unpredictable bytes as 2 * `bytes` lower-case hexadecimal digits. From any thread.
// The system is asked for many at a time, so that a request's ids cost no call of it.
std::string RandomHex(std::size_t bytes);

// The same, into `digits`, whose size is even.
void FillRandomHex(std::span<char> digits);

}  // namespace platform::security
