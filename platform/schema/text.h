#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace platform::schema {

// Returns whether the services accept the bytes as text: well-formed UTF-8 (RFC 3629) without NUL,
// which PostgreSQL cannot store.
bool IsText(std::string_view bytes);

// Returns the number of characters (code points, like Python's len) of a well-formed UTF-8 text.
std::size_t CountCharacters(std::string_view text);

// Returns the text in Unicode's normalization form C, in which characters are composed: "e" with a
// combining accent becomes "é". A text that is not well-formed UTF-8 stays as it is. Makes no copy
// that a caller who wipes `text` and the result would leave behind, except within libunistring.
std::string ToNfc(std::string_view text);

// Returns the beginning of a well-formed UTF-8 text, `count` characters or fewer.
std::string_view FirstCharacters(std::string_view text, std::size_t count);

}  // namespace platform::schema
