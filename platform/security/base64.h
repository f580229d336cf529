#pragma once

#include <optional>
#include <string>
#include <string_view>

// Base64 with the alphabet that URLs need no escapes for, without padding (RFC 4648, section 5).
namespace platform::security {

std::string EncodeBase64Url(std::string_view bytes);

// Returns nothing for a text that EncodeBase64Url cannot have made.
std::optional<std::string> DecodeBase64Url(std::string_view text);

}  // namespace platform::security
