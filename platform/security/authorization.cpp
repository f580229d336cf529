#include "platform/security/authorization.h"

#include <algorithm>
#include <boost/algorithm/string/predicate.hpp>
#include <locale>

namespace platform::security {
namespace {

constexpr std::string_view kWhiteSpace = " \t\n\v\f\r";

// Removes the first word from `text` and returns it; returns an empty text if there is no word.
std::string_view NextWord(std::string_view& text) {
  text.remove_prefix(std::min(text.find_first_not_of(kWhiteSpace), text.size()));
  const std::string_view word = text.substr(0, text.find_first_of(kWhiteSpace));
  text.remove_prefix(word.size());
  return word;
}

}  // namespace

std::expected<std::string_view, AuthorizationError> ParseAuthorization(std::string_view header) {
  const std::string_view scheme = NextWord(header);
  const std::string_view token = NextWord(header);
  if (token.empty() || !NextWord(header).empty()) {
    return std::unexpected(AuthorizationError::kNotTwoWords);
  }
  if (!boost::algorithm::iequals(scheme, "Bearer", std::locale::classic())) {
    return std::unexpected(AuthorizationError::kWrongScheme);
  }
  return token;
}

}  // namespace platform::security
