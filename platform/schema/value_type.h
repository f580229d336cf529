#pragma once

#include <boost/json/object.hpp>
#include <concepts>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace platform::schema {

// The base of a type that parses itself, so that a value that exists is valid:
//
//   class Quantity : public ValueType<Quantity, std::int32_t> {
//    public:
//     // What is wrong with the value, for the client; nothing if it is good.
//     static std::optional<std::string_view> Check(std::int32_t value);
//     // Adds the JSON Schema keywords that say what Check enforces.
//     static void Describe(boost::json::object& schema);
//   };
//
// `Base` is std::string (always IsText) or std::int32_t.
template <class Derived, class BaseType>
class ValueType {
 public:
  using Base = BaseType;

  // A placeholder, for a struct whose members are about to be filled.
  ValueType() = default;

  static std::expected<Derived, std::string_view> Parse(Base value) {
    if (std::optional<std::string_view> complaint = Derived::Check(value)) {
      return std::unexpected(*complaint);
    }
    return Unchecked(std::move(value));
  }

  const Base& value() const { return value_; }
  friend bool operator==(const ValueType&, const ValueType&) = default;

  // For a value that has been checked elsewhere: it is taken as it is.
  static Derived Unchecked(Base value) {
    Derived derived;
    derived.value_ = std::move(value);
    return derived;
  }

 private:
  Base value_{};
};

template <class T>
concept IsValueType =
    requires { typename T::Base; } && std::derived_from<T, ValueType<T, typename T::Base>>;

}  // namespace platform::schema
