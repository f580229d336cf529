#pragma once

#include <chrono>
#include <concepts>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace platform::postgres {

// A timestamptz: microseconds since 1970-01-01 00:00 UTC. Timestamp::max() and min() stand for
// 'infinity' and '-infinity'.
using Timestamp = std::chrono::sys_time<std::chrono::microseconds>;

// Converts a C++ type to and from PostgreSQL's binary format. A specialization has
//
//   static constexpr unsigned kOid;                        // The OID of the type.
//   static void Encode(const T& value, std::string& out);  // Appends the binary form.
//   static T Decode(std::string_view bytes);  // Throws std::runtime_error if it is malformed.
//
// Supported types are bool, int16_t, int32_t, int64_t, std::string (text, varchar), Timestamp,
// std::vector<int32_t> and, as a parameter, std::vector<std::string>. A domain type is supported if
// it declares
//
//   using Base = <one of these types>;
//   const Base& value() const;        // For a parameter.
//   static T Unchecked(Base value);   // For a column.
//
// std::optional<T> stands for a value that may be NULL, as parameter and as column.
template <class T>
struct Codec;

// Returns whether a column of PostgreSQL type `oid` can be read as a T.
template <class T>
constexpr bool Accepts(unsigned oid) {
  return oid == Codec<T>::kOid;
}

template <>
struct Codec<bool> {
  static constexpr unsigned kOid = 16;
  static void Encode(bool value, std::string& out);
  static bool Decode(std::string_view bytes);
};

template <>
struct Codec<std::int16_t> {
  static constexpr unsigned kOid = 21;
  static void Encode(std::int16_t value, std::string& out);
  static std::int16_t Decode(std::string_view bytes);
};

template <>
struct Codec<std::int32_t> {
  static constexpr unsigned kOid = 23;
  static void Encode(std::int32_t value, std::string& out);
  static std::int32_t Decode(std::string_view bytes);
};

template <>
struct Codec<std::int64_t> {
  static constexpr unsigned kOid = 20;
  static void Encode(std::int64_t value, std::string& out);
  static std::int64_t Decode(std::string_view bytes);
};

template <>
struct Codec<std::string> {
  static constexpr unsigned kOid = 25;
  static void Encode(std::string_view value, std::string& out) { out.append(value); }
  static std::string Decode(std::string_view bytes) { return std::string(bytes); }
};

// PostgreSQL's character types have the same binary form: text, varchar, char(n), name.
template <>
constexpr bool Accepts<std::string>(unsigned oid) {
  return oid == 25 || oid == 1043 || oid == 1042 || oid == 19;
}

// Throws std::out_of_range for a time that PostgreSQL or C++ cannot hold (past the year 294246).
template <>
struct Codec<Timestamp> {
  static constexpr unsigned kOid = 1184;
  static void Encode(Timestamp value, std::string& out);
  static Timestamp Decode(std::string_view bytes);
};

// int4[], of one dimension and without NULLs.
template <>
struct Codec<std::vector<std::int32_t>> {
  static constexpr unsigned kOid = 1007;
  static void Encode(std::span<const std::int32_t> values, std::string& out);
  static std::vector<std::int32_t> Decode(std::string_view bytes);
};

// text[], of one dimension and without NULLs. For parameters only.
template <>
struct Codec<std::vector<std::string>> {
  static constexpr unsigned kOid = 1009;
  static void Encode(std::span<const std::string> values, std::string& out);
};

// A domain type that names its base type.
template <class T>
concept DomainValue = requires { typename T::Base; };

template <DomainValue T>
struct Codec<T> {
  static constexpr unsigned kOid = Codec<typename T::Base>::kOid;
  static void Encode(const T& value, std::string& out) {
    Codec<typename T::Base>::Encode(value.value(), out);
  }
  static T Decode(std::string_view bytes) {
    return T::Unchecked(Codec<typename T::Base>::Decode(bytes));
  }
};

template <DomainValue T>
constexpr bool Accepts(unsigned oid) {
  return Accepts<typename T::Base>(oid);
}

// T without std::optional, and whether it had one.
template <class T>
struct Nullable {
  using Value = T;
  static constexpr bool kNullable = false;
};

template <class T>
struct Nullable<std::optional<T>> {
  using Value = T;
  static constexpr bool kNullable = true;
};

}  // namespace platform::postgres
