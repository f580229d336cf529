#include "platform/schema/parse.h"

#include <boost/json/parse.hpp>
#include <boost/url/params_view.hpp>
#include <boost/url/parse_query.hpp>
#include <cctype>
#include <charconv>
#include <cstdint>
#include <string>
#include <system_error>

namespace platform::schema {
namespace {

constexpr std::size_t kMaxDepth = 32;

// Encodes a query string as RFC 3986 requires. Browsers and other clients send some characters
// without encoding them, such as '|' and '[', and whole texts in UTF-8.
std::string EncodeStrictly(std::string_view query) {
  static constexpr std::string_view kDigits = "0123456789ABCDEF";
  // The characters of section 3.4, the '%' of text that is already encoded, and the '#' that ends a
  // query and makes it malformed here.
  static constexpr std::string_view kPunctuation = "-._~!$&'()*+,;=:@/?%#";
  std::string encoded;
  encoded.reserve(query.size());
  for (const char character : query) {
    const auto byte = static_cast<unsigned char>(character);
    if (byte < 0x80 && (std::isalnum(byte) != 0 || kPunctuation.contains(character))) {
      encoded += character;
    } else {
      encoded += {'%', kDigits[byte >> 4], kDigits[byte & 0xf]};
    }
  }
  return encoded;
}

}  // namespace

std::string ReportedName(std::string_view name) {
  if (name.size() <= kMaxNameBytes) return std::string(name);
  std::size_t end = kMaxNameBytes;
  while (end > 0 && (static_cast<unsigned char>(name[end]) & 0xc0) == 0x80) --end;
  return std::string(name.substr(0, end)) + "…";
}

Parsed<std::int64_t> ReadInteger(const boost::json::value& text) {
  const std::string_view digits = text.as_string();
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc() || end != digits.data() + digits.size()) {
    return std::unexpected(kNotAnInteger);
  }
  return number;
}

Result<boost::json::object> ParseJsonObject(std::string_view body) {
  if (body.empty()) return boost::json::object();
  boost::system::error_code error;
  boost::json::value json =
      boost::json::parse(body, error, {}, boost::json::parse_options{.max_depth = kMaxDepth});
  if (error) {
    return std::unexpected(Error::Field(ErrorCode::kInvalidArgument, "json", "Invalid JSON body."));
  }
  if (!json.is_object()) {
    return std::unexpected(
        Error::Field(ErrorCode::kUnprocessable, "_schema", "Invalid input type."));
  }
  return std::move(json.get_object());
}

Result<boost::json::object> ParseQueryObject(std::string_view text) {
  const std::string query = EncodeStrictly(text);
  if (!boost::urls::parse_query(query)) {
    return std::unexpected(
        Error{.code = ErrorCode::kInvalidArgument, .reason = "Malformed query string"});
  }
  boost::json::object object;
  for (const auto& parameter : boost::urls::params_view(query, {/*space_as_plus=*/true})) {
    object.emplace(parameter.key, parameter.value);
  }
  return object;
}

}  // namespace platform::schema
