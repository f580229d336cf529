#include "platform/schema/paging.h"

#include "platform/schema/text.h"

namespace platform::schema {
namespace {

constexpr std::size_t kMaxSearchLength = 256;

}  // namespace

std::optional<std::string_view> PageLimit::Check(std::int32_t value) {
  if (value >= 1 && value <= kMaxPageLimit) return std::nullopt;
  return "Must be greater than or equal to 1 and less than or equal to 1000.";
}

void PageLimit::Describe(boost::json::object& schema) {
  schema["minimum"] = 1;
  schema["maximum"] = kMaxPageLimit;
  schema["default"] = kMaxPageLimit;
  schema["description"] = "At most so many rows.";
}

std::optional<std::string_view> AfterId::Check(std::int32_t value) {
  if (value >= 0) return std::nullopt;
  return "Must be greater than or equal to 0.";
}

void AfterId::Describe(boost::json::object& schema) {
  schema["minimum"] = 0;
  schema["default"] = 0;
  schema["description"] = "Only rows with a larger id: the `next` of the page before.";
}

std::optional<std::string_view> SearchTerm::Check(const std::string& value) {
  if (CountCharacters(value) <= kMaxSearchLength) return std::nullopt;
  return "Longer than maximum length 256.";
}

void SearchTerm::Describe(boost::json::object& schema) {
  schema["maxLength"] = kMaxSearchLength;
  schema["description"] = "Only rows that contain this text, whatever its case.";
}

std::string SearchTerm::ContainsPattern() const {
  std::string pattern = "%";
  for (const char character : value()) {
    if (character == '%' || character == '_' || character == '\\') pattern += '\\';
    pattern += character;
  }
  return pattern + '%';
}

}  // namespace platform::schema
