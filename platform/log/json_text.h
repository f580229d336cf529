#pragma once

#include <string>
#include <string_view>

namespace platform::log {

// Appends `text` to `out` as a JSON string with its quotes. Bytes that are not UTF-8 become U+FFFD.
void AppendJsonString(std::string& out, std::string_view text);

}  // namespace platform::log
