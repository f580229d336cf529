#include "platform/http/openapi.h"

#include <boost/json/serialize.hpp>
#include <map>
#include <optional>
#include <utility>

#include "platform/version/version.h"

namespace platform::http {
namespace {

namespace json = boost::json;

constexpr std::string_view kSecurityScheme = "JWT Authorization";

// By status, so that they are listed in that order.
using Errors = std::map<unsigned, ErrorCode>;

json::object Reference(std::string_view section, std::string_view name) {
  return {{"$ref", "#/components/" + std::string(section) + "/" + std::string(name)}};
}

json::object JsonContent(json::object schema) {
  return {{"application/json", json::object{{"schema", std::move(schema)}}}};
}

// The name in the pattern's braces, if there is one.
std::optional<std::string_view> ParameterName(std::string_view pattern) {
  const std::size_t open = pattern.find('{');
  if (open == std::string_view::npos) return std::nullopt;
  return pattern.substr(open + 1, pattern.find('}') - open - 1);
}

json::object PathParameter(std::string_view name) {
  return {
      {"name", name},
      {"in", "path"},
      {"required", true},
      {"schema",
       json::object{{"type", "integer"}, {"format", "int32"}, {"minimum", 0}, {"examples", {3}}}}};
}

Errors ErrorsOf(const Route& route) {
  Errors errors;
  const auto add = [&](const std::vector<ErrorCode>& codes) {
    for (const ErrorCode code : codes) errors.emplace(StatusOf(code), code);
  };
  add({ErrorCode::kInternal, ErrorCode::kUnavailable, ErrorCode::kHeaderFieldsTooLarge});
  add(route.operation.errors);
  add(route.access.errors);
  if (ParameterName(route.pattern)) add({ErrorCode::kNotFound});
  if (!route.query_parameters.empty()) {
    add({ErrorCode::kInvalidArgument, ErrorCode::kUnprocessable});
  }
  if (route.body) {
    add({ErrorCode::kInvalidArgument, ErrorCode::kUnprocessable, ErrorCode::kPayloadTooLarge});
  }
  return errors;
}

// The component that describes an error's answer: "not_found".
std::string_view ComponentName(ErrorCode code) { return NameOf(code).code; }

json::object DescribeAnswers(const Route& route) {
  json::object headers{{"X-Request-ID", Reference("headers", "X-Request-ID")}};
  json::object success{{"description", ReasonPhrase(route.success)}, {"headers", headers}};
  if (route.answer) success["content"] = JsonContent(*route.answer);
  json::object answers{{std::to_string(route.success), std::move(success)}};
  for (const auto& [status, code] : ErrorsOf(route)) {
    answers[std::to_string(status)] = Reference("responses", ComponentName(code));
  }
  return answers;
}

json::object DescribeOperation(const Route& route) {
  const Operation& operation = route.operation;
  json::object described{{"operationId", operation.id},
                         {"tags", {operation.tag}},
                         {"summary", operation.summary},
                         {"description", operation.description}};
  json::array parameters = route.query_parameters;
  if (const auto name = ParameterName(route.pattern)) parameters.push_back(PathParameter(*name));
  if (!parameters.empty()) described["parameters"] = std::move(parameters);
  if (route.body) {
    described["requestBody"] = {{"required", true}, {"content", JsonContent(*route.body)}};
  }
  described["responses"] = DescribeAnswers(route);
  described["security"] = json::array();
  if (route.access.needs_token) {
    described["security"] = {json::object{{kSecurityScheme, json::array()}}};
  }
  return described;
}

// The error object of the contract.
json::object ErrorSchema(ErrorCode code) {
  json::object properties{
      {"code", json::object{{"const", NameOf(code).code}}},
      {"message", json::object{{"type", "string"}}},
  };
  if (code == ErrorCode::kInvalidArgument || code == ErrorCode::kUnprocessable) {
    properties["fields"] = {
        {"type", "object"},
        {"description", "What is wrong with each field of the request."},
        {"additionalProperties",
         json::object{{"type", "array"}, {"items", json::object{{"type", "string"}}}}}};
  }
  json::object error{{"type", "object"},
                     {"properties", std::move(properties)},
                     {"required", {"code", "message"}},
                     {"additionalProperties", false}};
  return {{"type", "object"},
          {"properties", json::object{{"error", std::move(error)}}},
          {"required", {"error"}},
          {"additionalProperties", false}};
}

json::object DescribeError(ErrorCode code) {
  json::object headers{{"X-Request-ID", Reference("headers", "X-Request-ID")}};
  if (code == ErrorCode::kUnavailable || code == ErrorCode::kTooManyRequests) {
    headers["Retry-After"] = Reference("headers", "Retry-After");
  }
  if (code == ErrorCode::kUnauthenticated) {
    headers["WWW-Authenticate"] = Reference("headers", "WWW-Authenticate");
  }
  return {{"description", NameOf(code).reason},
          {"headers", std::move(headers)},
          {"content", JsonContent(ErrorSchema(code))}};
}

json::object Header(std::string_view description, std::string_view type) {
  return {{"description", description}, {"schema", json::object{{"type", type}}}};
}

json::object DescribeComponents(const RouteTable& table) {
  json::object responses;
  for (const Route& route : table.routes()) {
    if (!route.is_documented) continue;
    for (const auto& [status, code] : ErrorsOf(route)) {
      responses[ComponentName(code)] = DescribeError(code);
    }
  }
  return {
      {"schemas", table.components()},
      {"responses", std::move(responses)},
      {"headers",
       json::object{
           {"X-Request-ID", Header("The request's X-Request-ID, or one made for it.", "string")},
           {"Retry-After", Header("Seconds after which to try again.", "integer")},
           {"WWW-Authenticate", Header("The scheme to authenticate with: Bearer.", "string")}}},
      {"securitySchemes",
       json::object{
           {kSecurityScheme,
            json::object{
                {"type", "apiKey"},
                {"in", "header"},
                {"name", "Authorization"},
                {"description", "The `token` of a login as it is: it begins with `Bearer `."}}}}}};
}

}  // namespace

std::string MakeOpenApi(const RouteTable& table, const ApiDescription& description) {
  json::array tags;
  for (const Tag& tag : description.tags) {
    tags.push_back(json::object{{"name", tag.name}, {"description", tag.description}});
  }
  json::object paths;
  for (const Route& route : table.routes()) {
    if (!route.is_documented) continue;
    json::value& path = paths[route.pattern];
    if (path.is_null()) path.emplace_object();
    std::string method(Name(route.method));
    for (char& letter : method) letter = static_cast<char>(std::tolower(letter));
    path.as_object()[method] = DescribeOperation(route);
  }
  return json::serialize(json::object{
      {"openapi", "3.1.0"},
      {"info", json::object{{"title", description.title},
                            {"description", description.description},
                            {"version", kVersion},
                            {"license", json::object{{"name", "MIT"}, {"identifier", "MIT"}}}}},
      {"servers", {json::object{{"url", "/"}}}},
      {"tags", std::move(tags)},
      {"paths", std::move(paths)},
      {"components", DescribeComponents(table)}});
}

}  // namespace platform::http
