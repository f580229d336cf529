#pragma once

#include <string_view>

namespace platform::http {

// The time as the Date header has it (RFC 9110 section 5.6.7), made once a second per thread.
std::string_view HttpDate();

}  // namespace platform::http
