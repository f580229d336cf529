#include "platform/schema/field.h"

#include <algorithm>
#include <array>

#include "platform/schema/text.h"

namespace platform::schema {
namespace {

// The words that the reference accepts: marshmallow's `fields.Boolean.truthy` and `falsy`.
constexpr std::array kTrueWords{"t",  "T", "true", "True", "TRUE", "on",  "On",
                                "ON", "y", "Y",    "yes",  "Yes",  "YES", "1"};
constexpr std::array kFalseWords{"f",   "F", "false", "False", "FALSE", "off", "Off",
                                 "OFF", "n", "N",     "no",    "No",    "NO",  "0"};

bool IsOneOf(const std::array<const char*, 14>& words, std::string_view word) {
  return std::ranges::find(words, word) != words.end();
}

}  // namespace

Parsed<bool> ParseBoolean(const boost::json::value& json) {
  if (const bool* boolean = json.if_bool()) return *boolean;
  if (json.is_number()) {
    const double number = json.to_number<double>();
    if (number == 1) return true;
    if (number == 0) return false;
  }
  if (const boost::json::string* word = json.if_string()) {
    if (IsOneOf(kTrueWords, *word)) return true;
    if (IsOneOf(kFalseWords, *word)) return false;
  }
  return std::unexpected("Not a valid boolean.");
}

Parsed<std::int64_t> ParseInteger(const boost::json::value& json) {
  if (const std::int64_t* number = json.if_int64()) return *number;
  return std::unexpected(kNotAnInteger);
}

Parsed<std::string> ParseText(const boost::json::value& json) {
  const boost::json::string* text = json.if_string();
  if (text == nullptr || !IsText(*text)) return std::unexpected("Not a valid string.");
  return std::string(*text);
}

}  // namespace platform::schema
