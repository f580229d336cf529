#pragma once

#include <cstddef>
#include <string_view>

namespace platform::schema {

// Text as the services take it: well-formed UTF-8 (RFC 3629) without NUL, which PostgreSQL cannot
// store.
bool IsText(std::string_view bytes);

// How many characters (code points, as Python's len) a well-formed UTF-8 text has.
std::size_t CountCharacters(std::string_view text);

}  // namespace platform::schema
