#pragma once

#include <cstddef>
#include <string>

namespace platform::security {

// `bytes` unpredictable bytes as 2 * `bytes` lower-case hexadecimal digits. From any thread.
std::string RandomHex(std::size_t bytes);

}  // namespace platform::security
