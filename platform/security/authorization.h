#pragma once

#include <expected>
#include <string_view>

namespace platform::security {

enum class AuthorizationError {
  kNotTwoWords,
  kWrongScheme,
};

// Returns the token in an Authorization header of the form "Bearer <token>", whatever the case of
// the scheme and the white space around the words. The result refers to `header`.
std::expected<std::string_view, AuthorizationError> ParseAuthorization(std::string_view header);

}  // namespace platform::security
