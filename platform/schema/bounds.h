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

template <std::int32_t Min>
struct AtLeast {
  static std::optional<std::string_view> Check(std::int32_t value) {
    static const std::string message =
        "Must be greater than or equal to " + std::to_string(Min) + ".";
    if (value >= Min) return std::nullopt;
    return message;
  }
  static void Describe(boost::json::object& schema) { schema["minimum"] = Min; }
};

template <std::int32_t Min, std::int32_t Max>
struct Range {
  static std::optional<std::string_view> Check(std::int32_t value) {
    static const std::string message = "Must be greater than or equal to " + std::to_string(Min) +
                                       " and less than or equal to " + std::to_string(Max) + ".";
    if (value >= Min && value <= Max) return std::nullopt;
    return message;
  }
  static void Describe(boost::json::object& schema) {
    schema["minimum"] = Min;
    schema["maximum"] = Max;
  }
};

// Lengths are counted in characters, not bytes.
template <std::size_t Min>
struct MinLength {
  static std::optional<std::string_view> Check(std::string_view value) {
    static const std::string message = "Shorter than minimum length " + std::to_string(Min) + ".";
    if (CountCharacters(value) >= Min) return std::nullopt;
    return message;
  }
  static void Describe(boost::json::object& schema) { schema["minLength"] = Min; }
};

template <std::size_t Max>
struct MaxLength {
  static std::optional<std::string_view> Check(std::string_view value) {
    static const std::string message = "Longer than maximum length " + std::to_string(Max) + ".";
    if (CountCharacters(value) <= Max) return std::nullopt;
    return message;
  }
  static void Describe(boost::json::object& schema) { schema["maxLength"] = Max; }
};

template <std::size_t Min, std::size_t Max>
struct Length {
  static std::optional<std::string_view> Check(std::string_view value) {
    static const std::string message =
        "Length must be between " + std::to_string(Min) + " and " + std::to_string(Max) + ".";
    const std::size_t length = CountCharacters(value);
    if (length >= Min && length <= Max) return std::nullopt;
    return message;
  }
  static void Describe(boost::json::object& schema) {
    schema["minLength"] = Min;
    schema["maxLength"] = Max;
  }
};

}  // namespace platform::schema
