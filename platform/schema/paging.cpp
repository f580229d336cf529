#include "platform/schema/paging.h"

namespace platform::schema {

void PageLimit::Describe(boost::json::object& schema) {
  schema["default"] = kMaxPageLimit;
  schema["description"] = "At most so many rows.";
}

void AfterId::Describe(boost::json::object& schema) {
  schema["default"] = 0;
  schema["description"] = "Only rows with a larger id: the `next` of the page before.";
}

void SearchTerm::Describe(boost::json::object& schema) {
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
