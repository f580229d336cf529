#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/mp11/algorithm.hpp>
#include <boost/type_index.hpp>
#include <concepts>
#include <string>
#include <string_view>
#include <type_traits>

#include "platform/schema/field.h"
#include "platform/schema/write.h"

namespace platform::schema {

// Named schemas of a document, as OpenAPI's `components/schemas`.
using Components = boost::json::object;

// Returns a reference object to "#/components/schemas/<name>".
boost::json::object Reference(std::string_view name);

// Returns the schema of a member, so that a struct's Describe can extend it.
boost::json::object& Property(boost::json::object& schema, std::string_view name);

// Adds null to the types of a schema, which must not be a reference.
void AllowNull(boost::json::object& schema);

// Describes a member of an answer that is always there, and may be null.
void RequireNullable(boost::json::object& schema, std::string_view name);

// Returns the type's name without its namespaces.
template <class T>
std::string NameOf() {
  const std::string name = boost::typeindex::type_id<T>().pretty_name();
  return name.substr(name.rfind(':') + 1);
}

// Returns the JSON Schema (2020-12, as used by OpenAPI 3.1) of a type, made from the declarations
// that also parse and write it. A struct becomes a component, which is added to `components` once,
// and a reference to it. Types with a `static void Describe(boost::json::object&)` add their own
// keywords.
template <class T>
boost::json::object Describe(Components& components) {
  if constexpr (std::same_as<T, bool>) {
    return {{"type", "boolean"}};
  } else if constexpr (std::integral<T>) {
    return {{"type", "integer"}, {"format", "int32"}};
  } else if constexpr (std::same_as<T, std::string>) {
    return {{"type", "string"}};
  } else if constexpr (std::same_as<T, Timestamp>) {
    return {{"type", "string"},
            {"format", "date-time"},
            {"examples", boost::json::array{"2026-11-22T23:00:27.304648+00:00"}}};
  } else if constexpr (IsValueType<T>) {
    boost::json::object schema = Describe<typename T::Base>(components);
    T::DescribeBounds(schema);
    T::Describe(schema);
    return schema;
  } else if constexpr (kIsNullable<T>) {
    boost::json::object schema = Describe<typename T::value_type>(components);
    AllowNull(schema);
    return schema;
  } else if constexpr (kIsVariant<T>) {
    boost::json::array types;
    boost::mp11::mp_for_each<boost::mp11::mp_transform<std::type_identity, T>>(
        [&]<class Held>(std::type_identity<Held>) {
          types.push_back(Describe<Held>(components).at("type"));
        });
    return {{"type", std::move(types)}};
  } else if constexpr (kIsOptional<T>) {
    return Describe<typename T::value_type>(components);
  } else if constexpr (kIsList<T>) {
    boost::json::object schema = Describe<decltype(T::items)>(components);
    schema["maxItems"] = T::kMax;
    return schema;
  } else if constexpr (kIsVector<T>) {
    return {{"type", "array"}, {"items", Describe<typename T::value_type>(components)}};
  } else {
    static_assert(IsObject<T>);
    const std::string name = NameOf<T>();
    if (!components.contains(name)) {
      boost::json::object properties;
      boost::json::array required;
      ForEachMember<T>([&]<class Member>(const char* member_name, Member T::*) {
        properties[member_name] = Describe<Member>(components);
        if constexpr (!kIsOptional<Member>) required.emplace_back(member_name);
      });
      boost::json::object schema{{"type", "object"}, {"properties", std::move(properties)}};
      if (!required.empty()) schema["required"] = std::move(required);
      if (!kIgnoresUnknownMembers<T>) schema["additionalProperties"] = false;
      if constexpr (requires { T::Describe(schema); }) T::Describe(schema);
      components[name] = std::move(schema);
    }
    return Reference(name);
  }
}

}  // namespace platform::schema
