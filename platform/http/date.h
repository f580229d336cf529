#pragma once

#include <string_view>

namespace platform::http {

// Returns the time in the form of the Date header (RFC 9110 section 5.6.7). It is formatted once a
// second in each thread.
std::string_view HttpDate();

}  // namespace platform::http
