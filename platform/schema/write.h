#pragma once

#include <charconv>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <string>
#include <string_view>

#include "platform/schema/field.h"

namespace platform::schema {

using Timestamp = std::chrono::sys_time<std::chrono::microseconds>;

// These functions append a value to `out` as JSON text, without an intermediate document. UTF-8 is
// not escaped.
void WriteText(std::string_view text, std::string& out);
// ISO 8601 with microseconds and offset: "2026-11-22T23:00:27.304648+00:00".
void WriteTimestamp(Timestamp time, std::string& out);
// Reserves memory for the rest of an array of `count` elements, whose first one has `size` bytes
// and whose others are probably alike.
void ReserveForRest(std::size_t count, std::size_t size, std::string& out);

template <class T>
void Write(const T& value, std::string& out) {
  if constexpr (std::same_as<T, bool>) {
    out += value ? "true" : "false";
  } else if constexpr (std::integral<T>) {
    char digits[24];
    out.append(digits, std::to_chars(digits, digits + sizeof digits, value).ptr);
  } else if constexpr (std::convertible_to<T, std::string_view>) {
    WriteText(value, out);
  } else if constexpr (std::same_as<T, Timestamp>) {
    WriteTimestamp(value, out);
  } else if constexpr (IsValueType<T>) {
    Write(value.value(), out);
  } else if constexpr (kIsOptional<T>) {
    value ? Write(*value, out) : void(out += "null");
  } else if constexpr (kIsVariant<T>) {
    std::visit([&out](const auto& held) { Write(held, out); }, value);
  } else if constexpr (kIsVector<T>) {
    out += '[';
    const std::size_t begin = out.size();
    bool first = true;
    for (const auto& element : value) {
      if (!first) out += ',';
      Write(element, out);
      // A text that grows by doubling would for a moment need three times its memory.
      if (std::exchange(first, false)) ReserveForRest(value.size(), out.size() - begin, out);
    }
    out += ']';
  } else {
    static_assert(IsObject<T>);
    out += '{';
    bool first = true;
    ForEachMember<T>([&](const char* name, auto member) {
      if (!std::exchange(first, false)) out += ',';
      out += '"';
      out += name;
      out += "\":";
      Write(value.*member, out);
    });
    out += '}';
  }
}

}  // namespace platform::schema
