#pragma once

#include <boost/json/object.hpp>
#include <expected>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "platform/base/result.h"
#include "platform/schema/field.h"

namespace platform::schema {

// The source of a struct's members.
enum class Source {
  kBody,   // A JSON object; see kIgnoresUnknownMembers for members that the struct does not have.
  kQuery,  // A query string; other parameters are ignored.
};

// Maximum number of fields of a body that are reported because the struct does not have them, and
// of the bytes of each name; a longer name is cut. A body could have thousands.
inline constexpr std::size_t kMaxUnknownFields = 32;
inline constexpr std::size_t kMaxNameBytes = 256;

// Returns the name of an unknown field as it is reported.
std::string ReportedName(std::string_view name);

// Returns the integer that a JSON string holds in decimal.
Parsed<std::int64_t> ReadInteger(const boost::json::value& text);

// Parses one field. In a query string all values are text, also integers.
template <class T>
Parsed<T> ParseField(const boost::json::value& json, Source source) {
  if constexpr (IsValueType<T>) {
    if constexpr (std::same_as<typename T::Base, std::int32_t>) {
      if (source == Source::kQuery) return CheckInteger<T>(ReadInteger(json));
    }
  }
  return ParseValue<T>(json);
}

template <IsObject T>
Result<T> ParseObject(const boost::json::object& object, Source source);

// Reads an array of objects. The errors of an object's members are named like "items.0.quantity".
template <class T, std::size_t Max>
void ParseList(std::string_view name, const boost::json::value& json, List<T, Max>& list,
               FieldErrors& errors) {
  const boost::json::array* array = json.if_array();
  if (array == nullptr) {
    errors[std::string(name)] = {"Not a valid list."};
    return;
  }
  if (array->size() > Max) {
    errors[std::string(name)] = {"Longer than maximum length " + std::to_string(Max) + "."};
    return;
  }
  list.items.reserve(array->size());
  for (const boost::json::value& element : *array) {
    const std::string path = std::string(name) + "." + std::to_string(&element - array->data());
    if (!element.is_object()) {
      errors[path] = {"Invalid input type."};
      continue;
    }
    Result<T> parsed = ParseObject<T>(element.get_object(), Source::kBody);
    if (parsed) {
      list.items.push_back(*std::move(parsed));
      continue;
    }
    for (auto& [field, messages] : parsed.error().fields) {
      errors[std::string(path).append(".").append(field)] = std::move(messages);
    }
  }
}

// Reads the members of T from `object`. An optional member may be missing, but not null; a
// std::optional<std::optional<M>> may be null too, and then holds an empty std::optional<M>. A
// failure is a 422 that reports every bad field with its messages. If T has
//
//   void Check(FieldErrors& errors) const;
//
// it is called when all members are good, to add errors of their combination.
template <IsObject T>
Result<T> ParseObject(const boost::json::object& object, Source source) {
  T parsed{};
  FieldErrors errors;
  std::size_t known = 0;
  ForEachMember<T>([&](const char* name, auto member) {
    auto& target = parsed.*member;
    using Target = std::remove_reference_t<decltype(target)>;
    const boost::json::value* json = object.if_contains(name);
    if (json == nullptr) {
      if (!kIsOptional<Target>) errors[name] = {"Missing data for required field."};
      return;
    }
    ++known;
    if (json->is_null()) {
      if constexpr (kIsNullable<Target>) {
        target.emplace();
        return;
      }
      errors[name] = {"Field may not be null."};
      return;
    }
    if constexpr (kIsList<Target>) {
      ParseList(name, *json, target, errors);
      return;
    } else {
      const auto assign = [&](auto value) {
        if (value) {
          target = *std::move(value);
        } else {
          errors[name] = {std::string(value.error())};
        }
      };
      if constexpr (kIsNullable<Target>) {
        assign(ParseField<typename Target::value_type::value_type>(*json, source));
      } else if constexpr (kIsOptional<Target>) {
        assign(ParseField<typename Target::value_type>(*json, source));
      } else {
        assign(ParseField<Target>(*json, source));
      }
    }
  });
  if (!kIgnoresUnknownMembers<T> && source == Source::kBody && known < object.size()) {
    std::size_t unknown = 0;
    for (const auto& entry : object) {
      bool is_member = false;
      ForEachMember<T>([&](const char* name, auto) { is_member |= entry.key() == name; });
      if (is_member) continue;
      if (++unknown > kMaxUnknownFields) break;
      errors[ReportedName(entry.key())] = {"Unknown field."};
    }
  }
  if constexpr (requires { parsed.Check(errors); }) {
    if (errors.empty()) parsed.Check(errors);
  }
  if (!errors.empty()) {
    return std::unexpected(Error{.code = ErrorCode::kUnprocessable, .fields = std::move(errors)});
  }
  return parsed;
}

// Parses a request's body as an object; no body counts as {}. Nesting is limited to 32 levels.
Result<boost::json::object> ParseJsonObject(std::string_view body);

// Parses a query string ("limit=10&search=a%20b") as an object of strings, which need not be UTF-8.
// The first value of a repeated parameter counts.
Result<boost::json::object> ParseQueryObject(std::string_view text);

// Parses a request's body or query string as a T. A body that is not JSON is a 400; a body that is
// not a T is a 422 with all bad fields.
template <IsObject T>
Result<T> Parse(std::string_view text, Source source) {
  Result<boost::json::object> object =
      source == Source::kBody ? ParseJsonObject(text) : ParseQueryObject(text);
  if (!object) return std::unexpected(std::move(object).error());
  return ParseObject<T>(*object, source);
}

}  // namespace platform::schema
