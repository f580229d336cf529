#include "services/customers/src/domain/email.h"

#include <idn2.h>
#include <unictype.h>
#include <unistr.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdint>
#include <memory>
#include <ranges>

namespace customers {
namespace {

constexpr std::string_view kComplaint = "Not a valid email address.";
constexpr std::size_t kMaxLength = 254;      // RFC 5321 section 4.5.3.1.3, without the brackets.
constexpr std::size_t kMaxLabelLength = 63;  // RFC 1035 section 2.3.4.

bool IsAlphanumeric(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; }
bool IsBeyondAscii(char c) { return static_cast<unsigned char>(c) >= 0x80; }

// Returns whether people can see and compare every character: none is a control, a space beyond
// ASCII, unassigned, or invisible, such as a zero-width one or one that changes the direction of
// the text. `text` is well-formed UTF-8.
bool IsVisible(std::string_view text) {
  constexpr std::uint32_t kInvisible = UC_CATEGORY_MASK_C | UC_CATEGORY_MASK_Z;
  ucs4_t character = 0;
  const auto* next = reinterpret_cast<const std::uint8_t*>(text.data());
  for (std::size_t left = text.size(); left > 0;) {
    const int size = u8_mbtouc(&character, next, left);
    next += size;
    left -= static_cast<std::size_t>(size);
    if (character != ' ' && (uc_is_general_category_withtable(character, kInvisible) ||
                             uc_is_property_default_ignorable_code_point(character))) {
      return false;
    }
  }
  return true;
}

bool IsAtom(std::string_view atom) {
  return !atom.empty() && std::ranges::all_of(atom, [](char c) {
    return IsAlphanumeric(c) || IsBeyondAscii(c) ||
           std::string_view("!#$%&'*+-/=?^_`{|}~").contains(c);
  });
}

bool IsDotAtom(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text | std::views::split('.'), [](auto atom) {
    return IsAtom(std::string_view(atom));
  });
}

// Accepts a quoted string of RFC 5322 section 3.2.4, without bare white space.
bool IsQuotedString(std::string_view text) {
  if (text.size() < 2 || !text.starts_with('"') || !text.ends_with('"')) return false;
  bool is_escaped = false;
  for (const char c : text.substr(1, text.size() - 2)) {
    if (c == '\n' || c == '\r') return false;
    if (!is_escaped && (c == '"' || c == ' ' || c == '\t')) return false;
    is_escaped = c == '\\' && !is_escaped;
  }
  return !is_escaped;
}

bool IsIpv4Number(std::string_view digits) {
  unsigned number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  return error == std::errc() && end == digits.data() + digits.size() && digits.size() <= 3 &&
         number <= 255;
}

bool IsBracketedIpv4(std::string_view domain) {
  if (!domain.starts_with('[') || !domain.ends_with(']')) return false;
  int numbers = 0;
  for (const auto number : domain.substr(1, domain.size() - 2) | std::views::split('.')) {
    if (!IsIpv4Number(std::string_view(number))) return false;
    ++numbers;
  }
  return numbers == 4;
}

bool IsLabel(std::string_view label) {
  return !label.empty() && label.size() <= kMaxLabelLength && label.front() != '-' &&
         label.back() != '-' &&
         std::ranges::all_of(label, [](char c) { return IsAlphanumeric(c) || c == '-'; });
}

// As the reference, accepts digits and hyphens, so 192.168.1.10 is a domain.
bool IsTopLevel(std::string_view label) {
  return label.size() >= 2 &&
         std::ranges::all_of(label, [](char c) { return IsAlphanumeric(c) || c == '-'; });
}

bool IsAsciiDomain(std::string_view domain) {
  const std::size_t last_dot = domain.rfind('.');
  if (last_dot == std::string_view::npos || last_dot == 0) return false;
  return IsTopLevel(domain.substr(last_dot + 1)) &&
         std::ranges::all_of(domain.substr(0, last_dot) | std::views::split('.'),
                             [](auto label) { return IsLabel(std::string_view(label)); });
}

bool IsDomain(const std::string& domain) {
  if (std::ranges::none_of(domain, IsBeyondAscii)) return IsAsciiDomain(domain);
  char* ascii = nullptr;
  if (idn2_to_ascii_8z(domain.c_str(), &ascii, IDN2_NFC_INPUT | IDN2_TRANSITIONAL) != IDN2_OK) {
    return false;
  }
  const std::unique_ptr<char, decltype(&idn2_free)> owner(ascii, idn2_free);
  return IsAsciiDomain(ascii);
}

}  // namespace

std::optional<std::string_view> Email::Check(const std::string& value) {
  const std::size_t at = value.rfind('@');
  if (at == std::string::npos || value.size() > kMaxLength || !IsVisible(value)) return kComplaint;
  const std::string_view local = std::string_view(value).substr(0, at);
  const std::string domain = value.substr(at + 1);
  const bool is_good = (IsDotAtom(local) || IsQuotedString(local)) &&
                       (domain == "localhost" || IsBracketedIpv4(domain) || IsDomain(domain));
  if (!is_good) return kComplaint;
  return std::nullopt;
}

void Email::Describe(boost::json::object& schema) {
  schema["format"] = "email";
  schema["maxLength"] = kMaxLength;
  schema["examples"] = boost::json::array{"nonadmin3@email.com"};
}

}  // namespace customers
