#pragma once

#include <boost/json/object.hpp>
#include <concepts>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace platform::schema {

// The base of a type that checks its values, so that every value of the type is valid:
//
//   class Quantity : public ValueType<Quantity, std::int32_t, Range<1, 5>> {};
//
// `Base` is std::string (always IsText) or std::int32_t. The bounds are defined in bounds.h. A type
// with other rules declares its own Check; a type whose JSON Schema needs more keywords declares a
// Describe:
//
//   static std::optional<std::string_view> Check(const Base& value);
//   static void Describe(boost::json::object& schema);
//
// A type of texts may declare its own message for a JSON value that is no text:
//
//   static constexpr std::string_view kNoText = "Not a valid price.";
template <class Derived, class BaseType, class... Bounds>
class ValueType {
 public:
  using Base = BaseType;

  // Makes a placeholder, for a struct whose members are set afterwards.
  ValueType() = default;

  // Returns a message for the client if the value is bad, or nothing if it is good.
  static std::optional<std::string_view> Check(const Base& value) {
    std::optional<std::string_view> complaint;
    static_cast<void>(((complaint = Bounds::Check(value)) || ...));
    return complaint;
  }
  // Adds the JSON Schema keywords of the bounds.
  static void DescribeBounds(boost::json::object& schema) { (Bounds::Describe(schema), ...); }
  static void Describe(boost::json::object&) {}

  static std::expected<Derived, std::string_view> Parse(Base value) {
    if (std::optional<std::string_view> complaint = Derived::Check(value)) {
      return std::unexpected(*complaint);
    }
    return Unchecked(std::move(value));
  }

  const Base& value() const { return value_; }
  friend bool operator==(const ValueType&, const ValueType&) = default;

  // Makes a value without checking it. The caller must have checked it.
  static Derived Unchecked(Base value) {
    Derived derived;
    derived.value_ = std::move(value);
    return derived;
  }

 private:
  Base value_{};
};

namespace detail {
template <class Derived, class Base, class... Bounds>
void AcceptValueType(const ValueType<Derived, Base, Bounds...>&);
}  // namespace detail

template <class T>
concept IsValueType = requires(const T& value) { detail::AcceptValueType(value); };

}  // namespace platform::schema
