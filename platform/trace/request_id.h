#pragma once

#include <cstddef>
#include <string>
#include <string_view>

// The id that identifies a request in the logs of every service that it passes through. It travels
// in the HTTP header X-Request-ID.
namespace platform::trace {

inline constexpr std::size_t kMaxRequestIdLength = 128;

// Returns whether a client's id may be used: 1 to 128 letters, digits and "-_.:".
bool IsRequestId(std::string_view id);

// Returns a new random id of 32 hexadecimal digits.
std::string MakeRequestId();

}  // namespace platform::trace
