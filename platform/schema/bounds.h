#pragma once

#include <boost/json/object.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "platform/schema/text.h"

// Bounds of value types. Each is stated once: Check returns a message for the client if a value is
// out of bounds, and Describe adds the corresponding JSON Schema keywords. See ValueType.
namespace platform::schema {

template <std::int32_t kMin>
struct AtLeast {
  static std::optional<std::string_view> Check(std::int32_t value) {
    static const std::string message =
        "Must be greater than or equal to " + std::to_string(kMin) + ".";
    if (value >= kMin) return std::nullopt;
    return message;
  }
  static void Describe(boost::json::object& schema) { schema["minimum"] = kMin; }
};

template <std::int32_t kMin, std::int32_t kMax>
struct Range {
  static std::optional<std::string_view> Check(std::int32_t value) {
    static const std::string message = "Must be greater than or equal to " + std::to_string(kMin) +
                                       " and less than or equal to " + std::to_string(kMax) + ".";
    if (value >= kMin && value <= kMax) return std::nullopt;
    return message;
  }
  static void Describe(boost::json::object& schema) {
    schema["minimum"] = kMin;
    schema["maximum"] = kMax;
  }
};

// Lengths are counted in characters, not bytes.
template <std::size_t kMin>
struct MinLength {
  static std::optional<std::string_view> Check(std::string_view value) {
    static const std::string message = "Shorter than minimum length " + std::to_string(kMin) + ".";
    if (CountCharacters(value) >= kMin) return std::nullopt;
    return message;
  }
  static void Describe(boost::json::object& schema) { schema["minLength"] = kMin; }
};

template <std::size_t kMax>
struct MaxLength {
  static std::optional<std::string_view> Check(std::string_view value) {
    static const std::string message = "Longer than maximum length " + std::to_string(kMax) + ".";
    if (CountCharacters(value) <= kMax) return std::nullopt;
    return message;
  }
  static void Describe(boost::json::object& schema) { schema["maxLength"] = kMax; }
};

template <std::size_t kMin, std::size_t kMax>
struct Length {
  static std::optional<std::string_view> Check(std::string_view value) {
    static const std::string message =
        "Length must be between " + std::to_string(kMin) + " and " + std::to_string(kMax) + ".";
    const std::size_t length = CountCharacters(value);
    if (length >= kMin && length <= kMax) return std::nullopt;
    return message;
  }
  static void Describe(boost::json::object& schema) {
    schema["minLength"] = kMin;
    schema["maxLength"] = kMax;
  }
};

}  // namespace platform::schema
