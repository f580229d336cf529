#pragma once

#include <string>
#include <string_view>

namespace platform::log {

// Appends `text` to `out` as a JSON string with its quotes. What is not UTF-8 becomes U+FFFD.
void AppendJsonString(std::string& out, std::string_view text);

}  // namespace platform::log
