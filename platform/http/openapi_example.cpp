#include "platform/http/openapi_example.h"

#include <algorithm>
#include <string_view>

namespace platform::http {
namespace {

namespace json = boost::json;

// Returns the schema itself, or the component to which it refers.
const json::object& Resolve(const json::object& schema, const schema::Components& components) {
  const json::value* reference = schema.if_contains("$ref");
  if (reference == nullptr) return schema;
  const std::string_view path = reference->as_string();
  return components.at(path.substr(path.rfind('/') + 1)).as_object();
}

json::object MakeObjectExample(const json::object& schema, const schema::Components& components) {
  json::object example;
  const json::value* required = schema.if_contains("required");
  for (const auto& [name, property] : schema.at("properties").as_object()) {
    const bool is_required =
        required != nullptr && std::ranges::count(required->as_array(), json::value(name)) > 0;
    const json::object& member = Resolve(property.as_object(), components);
    if (is_required || member.contains("examples")) {
      example[name] = MakeExample(member, components);
    }
  }
  return example;
}

}  // namespace

json::value MakeExample(const json::object& schema, const schema::Components& components) {
  const json::object& resolved = Resolve(schema, components);
  if (const json::value* examples = resolved.if_contains("examples")) {
    return examples->as_array().front();
  }
  const json::value& type = resolved.at("type");
  if (type.is_array()) return nullptr;  // `null` is among its types.
  if (type == "object") return MakeObjectExample(resolved, components);
  if (type == "array") {
    return json::array{MakeExample(resolved.at("items").as_object(), components)};
  }
  if (type == "boolean") return false;
  if (type == "integer") return 1;
  return "text";
}

}  // namespace platform::http
