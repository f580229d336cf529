#pragma once

#include <algorithm>
#include <boost/describe/members.hpp>
#include <boost/json/value.hpp>
#include <boost/mp11/algorithm.hpp>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "platform/schema/value_type.h"

namespace platform::schema {

// A struct whose members are declared with BOOST_DESCRIBE_STRUCT; it stands for a JSON object.
template <class T>
concept IsObject = boost::describe::has_describe_members<T>::value;

// Calls `visit(name, pointer_to_member)` for each member, in order.
template <IsObject T, class Visit>
constexpr void ForEachMember(Visit&& visit) {
  using Members = boost::describe::describe_members<T, boost::describe::mod_public>;
  boost::mp11::mp_for_each<Members>([&](auto member) { visit(member.name, member.pointer); });
}

// Whether a body may have members that T does not have. T says so in
//
//   static constexpr bool kIgnoresUnknownMembers = true;
//
// Otherwise such a member is an error.
template <class T>
inline constexpr bool kIgnoresUnknownMembers = false;
template <class T>
  requires requires { T::kIgnoresUnknownMembers; }
inline constexpr bool kIgnoresUnknownMembers<T> = T::kIgnoresUnknownMembers;

// The result of parsing a JSON value, or a message for the client if the value is bad. Parsing is
// strict: no number is read from a string, and no integer from 1.5 or true.
template <class T>
using Parsed = std::expected<T, std::string_view>;

Parsed<bool> ParseBoolean(const boost::json::value& json);
Parsed<std::int64_t> ParseInteger(const boost::json::value& json);
Parsed<std::string> ParseText(const boost::json::value& json);

inline constexpr std::string_view kNotAnInteger = "Not a valid integer.";

// An integer past int32 gets the message of the type's range, if the type has one.
template <class T>
Parsed<T> CheckInteger(const Parsed<std::int64_t>& integer) {
  if (!integer) return std::unexpected(integer.error());
  const std::int64_t number = *integer;
  const auto clamped = static_cast<std::int32_t>(std::clamp<std::int64_t>(
      number, std::numeric_limits<std::int32_t>::min(), std::numeric_limits<std::int32_t>::max()));
  Parsed<T> parsed = T::Parse(clamped);
  if (parsed && clamped != number) return std::unexpected(kNotAnInteger);
  return parsed;
}

template <class T>
Parsed<T> ParseValue(const boost::json::value& json) {
  if constexpr (std::same_as<T, bool>) {
    return ParseBoolean(json);
  } else if constexpr (std::same_as<T, std::string>) {
    return ParseText(json);
  } else {
    static_assert(IsValueType<T>, "a field is a bool, a string or a ValueType");
    if constexpr (std::same_as<typename T::Base, std::int32_t>) {
      return CheckInteger<T>(ParseInteger(json));
    } else {
      Parsed<std::string> text = ParseText(json);
      if constexpr (requires { T::kNoText; }) {
        if (!text) return std::unexpected(T::kNoText);
      }
      if (!text) return std::unexpected(text.error());
      return T::Parse(*std::move(text));
    }
  }
}

template <class T>
inline constexpr bool kIsOptional = false;
template <class T>
inline constexpr bool kIsOptional<std::optional<T>> = true;

// A member that may be null as well as missing, which differ.
template <class T>
inline constexpr bool kIsNullable = false;
template <class T>
inline constexpr bool kIsNullable<std::optional<std::optional<T>>> = true;

template <class... Ts>
inline constexpr bool kIsVariant = false;
template <class... Ts>
inline constexpr bool kIsVariant<std::variant<Ts...>> = true;

template <class T>
inline constexpr bool kIsVector = false;
template <class T>
inline constexpr bool kIsVector<std::vector<T>> = true;

// A member of a body: an array of at most `Max` objects.
template <class T, std::size_t Max>
struct List {
  static constexpr std::size_t kMax = Max;
  std::vector<T> items;
};

template <class T>
inline constexpr bool kIsList = false;
template <class T, std::size_t Max>
inline constexpr bool kIsList<List<T, Max>> = true;

}  // namespace platform::schema
