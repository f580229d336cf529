#pragma once

#include <cstddef>
#include <string>
#include <string_view>

// The id under which a request is found in the logs of every service that it passes through: the
// HTTP header X-Request-ID.
namespace platform::trace {

inline constexpr std::size_t kMaxRequestIdLength = 128;

// Whether an id that somebody else made is taken over: 1 to 128 letters, digits and "-_.:".
bool IsRequestId(std::string_view id);

// 32 hexadecimal digits.
std::string MakeRequestId();

}  // namespace platform::trace
