#include "platform/schema/paging.h"

namespace platform::schema {

void PageLimit::Describe(boost::json::object& schema) {
  schema["default"] = kMaxPageLimit;
  schema["description"] = "Maximum number of rows.";
}

void AfterId::Describe(boost::json::object& schema) {
  schema["default"] = 0;
  schema["description"] =
      "Returns only rows with a larger id. Use the `next` of the previous page.";
}

void SearchTerm::Describe(boost::json::object& schema) {
  schema["description"] = "Returns only rows that contain this text, whatever its case.";
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
