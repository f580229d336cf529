#include "platform/http/openapi.h"

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <limits>
#include <map>
#include <optional>
#include <utility>

#include "platform/http/openapi_example.h"
#include "platform/version/version.h"

namespace platform::http {
namespace {

namespace json = boost::json;

// Component names have no spaces (OpenAPI 3.1, section 4.8.7.1).
constexpr std::string_view kSecurityScheme = "JWT-Authorization";
constexpr std::string_view kRequestId = "X-Request-ID";

// Keyed by status, so that errors are listed in that order.
using Errors = std::map<unsigned, ErrorCode>;

json::object Reference(std::string_view section, std::string_view name) {
  return {{"$ref", "#/components/" + std::string(section) + "/" + std::string(name)}};
}

json::object JsonContent(json::object schema, json::value example) {
  return {{"application/json",
           json::object{{"schema", std::move(schema)}, {"example", std::move(example)}}}};
}

// Returns the name in the pattern's braces, if there is one.
std::optional<std::string_view> ParameterName(std::string_view pattern) {
  const std::size_t open = pattern.find('{');
  if (open == std::string_view::npos) return std::nullopt;
  return pattern.substr(open + 1, pattern.find('}') - open - 1);
}

// "cart_id" → "The id of the cart."
std::string DescribeId(std::string_view name) {
  std::string text = "The id of the " + std::string(name.substr(0, name.rfind("_id"))) + ".";
  std::ranges::replace(text, '_', ' ');
  return text;
}

json::object PathParameter(std::string_view name) {
  return {{"name", name},
          {"in", "path"},
          {"description", DescribeId(name)},
          {"required", true},
          {"schema", json::object{{"type", "integer"},
                                  {"format", "int32"},
                                  {"minimum", 0},
                                  {"maximum", std::numeric_limits<std::int32_t>::max()},
                                  {"examples", {3}}}}};
}

// Describes which token an operation requires. It is optional for an operation that needs no token
// but can reject one.
json::array DescribeSecurity(const Route& route) {
  const json::object token{{kSecurityScheme, json::array()}};
  if (route.access.needs_token) return {token};
  const bool looks_at_token =
      std::ranges::find(route.operation.errors, ErrorCode::kUnauthenticated) !=
      route.operation.errors.end();
  return looks_at_token ? json::array{json::object(), token} : json::array();
}

Errors ErrorsOf(const Route& route) {
  Errors errors;
  const auto add = [&](const std::vector<ErrorCode>& codes) {
    for (const ErrorCode code : codes) errors.emplace(StatusOf(code), code);
  };
  // The answer to a method that the path does not have is listed with each method that it has,
  // because OpenAPI has no other place for it.
  add({ErrorCode::kMethodNotAllowed, ErrorCode::kHeaderFieldsTooLarge, ErrorCode::kInternal,
       ErrorCode::kUnavailable});
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

// Returns the name of the component that describes an error's answer, such as "not_found".
std::string_view ComponentName(ErrorCode code) { return NameOf(code).code; }

json::object DescribeAnswers(const Route& route, const schema::Components& components) {
  json::object headers{{kRequestId, Reference("headers", kRequestId)}};
  json::object success{{"description", ReasonPhrase(route.success)}, {"headers", headers}};
  if (route.answer) {
    success["content"] = JsonContent(*route.answer, MakeExample(*route.answer, components));
  }
  json::object answers{{std::to_string(route.success), std::move(success)}};
  for (const auto& [status, code] : ErrorsOf(route)) {
    answers[std::to_string(status)] = Reference("responses", ComponentName(code));
  }
  return answers;
}

json::object DescribeOperation(const Route& route, const schema::Components& components) {
  const Operation& operation = route.operation;
  json::object described{{"operationId", operation.id},
                         {"tags", {route.tag}},
                         {"summary", operation.summary},
                         {"description", operation.description}};
  json::array parameters = route.query_parameters;
  if (const auto name = ParameterName(route.pattern)) parameters.push_back(PathParameter(*name));
  if (!parameters.empty()) described["parameters"] = std::move(parameters);
  if (route.body) {
    described["requestBody"] = {
        {"required", true},
        {"content", JsonContent(*route.body, MakeExample(*route.body, components))}};
  }
  described["responses"] = DescribeAnswers(route, components);
  described["security"] = DescribeSecurity(route);
  return described;
}

// Explains an error to a client.
std::string_view Explain(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument:
      return "The request is malformed, or what it asks for cannot be done; `fields` tells why.";
    case ErrorCode::kUnauthenticated:
      return "The token is missing, expired or not ours.";
    case ErrorCode::kPermissionDenied:
      return "The token's user may not do this, or the token is not accepted.";
    case ErrorCode::kNotFound:
      return "There is nothing of that id.";
    case ErrorCode::kMethodNotAllowed:
      return "The path has other methods than the request's; `Allow` names them.";
    case ErrorCode::kPayloadTooLarge:
      return "The body is too large.";
    case ErrorCode::kUnprocessable:
      return "Fields of the request are not valid; `fields` names them all.";
    case ErrorCode::kTooManyRequests:
      return "Too many attempts; `Retry-After` tells when to try again.";
    case ErrorCode::kHeaderFieldsTooLarge:
      return "The header is too large.";
    case ErrorCode::kInternal:
      return "The service is at fault; its log tells more under the request's id.";
    case ErrorCode::kUnavailable:
      return "The service is too busy, or something that it needs does not answer.";
    default:
      return NameOf(code).reason;
  }
}

bool HasFields(ErrorCode code) {
  return code == ErrorCode::kInvalidArgument || code == ErrorCode::kUnprocessable;
}

// Returns the schema of the API's error object.
json::object ErrorSchema(ErrorCode code) {
  json::object properties{
      {"code", json::object{{"const", NameOf(code).code}}},
      {"message", json::object{{"type", "string"}, {"description", "For people."}}},
  };
  if (HasFields(code)) {
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

// Returns the body that ToResponse makes for the error.
json::value ErrorExample(ErrorCode code) {
  Error error{.code = code};
  if (code == ErrorCode::kInvalidArgument) error.fields["json"] = {"Invalid JSON body."};
  if (code == ErrorCode::kUnprocessable) error.fields["email"] = {"Not a valid email address."};
  return json::parse(ToResponse(error).body);
}

// Returns the headers of an error's answer beyond the headers of every answer.
std::vector<std::string_view> HeadersOf(ErrorCode code) {
  switch (code) {
    case ErrorCode::kUnavailable:
    case ErrorCode::kTooManyRequests:
      return {"Retry-After"};
    case ErrorCode::kUnauthenticated:
      return {"WWW-Authenticate"};
    case ErrorCode::kMethodNotAllowed:
      return {"Allow"};
    default:
      return {};
  }
}

json::object DescribeError(ErrorCode code) {
  json::object headers{{kRequestId, Reference("headers", kRequestId)}};
  for (const std::string_view name : HeadersOf(code)) headers[name] = Reference("headers", name);
  return {{"description", Explain(code)},
          {"headers", std::move(headers)},
          {"content", JsonContent(ErrorSchema(code), ErrorExample(code))}};
}

json::object Header(std::string_view description, json::object schema, json::value example) {
  return {{"description", description},
          {"required", true},
          {"schema", std::move(schema)},
          {"example", std::move(example)}};
}

json::object DescribeHeader(std::string_view name) {
  const json::object text{{"type", "string"}};
  if (name == kRequestId) {
    return Header("The request's X-Request-ID, or one made for it.", text,
                  "4b0d1f5e9c3a47d28e6f0a1b2c3d4e5f");
  }
  if (name == "Retry-After") {
    return Header("Seconds after which to try again.", {{"type", "integer"}, {"minimum", 1}}, 1);
  }
  if (name == "Allow") return Header("The methods that the path has.", text, "GET, HEAD, OPTIONS");
  return Header("The scheme to authenticate with.", text, "Bearer");
}

json::object DescribeComponents(const RouteTable& table) {
  json::object responses;
  json::object headers{{kRequestId, DescribeHeader(kRequestId)}};
  for (const Route& route : table.routes()) {
    if (!route.is_documented) continue;
    for (const auto& [status, code] : ErrorsOf(route)) {
      responses[ComponentName(code)] = DescribeError(code);
      for (const std::string_view name : HeadersOf(code)) headers[name] = DescribeHeader(name);
    }
  }
  return {{"schemas", table.components()},
          {"responses", std::move(responses)},
          {"headers", std::move(headers)},
          {"securitySchemes",
           json::object{
               {kSecurityScheme,
                json::object{{"type", "apiKey"},
                             {"in", "header"},
                             {"name", "Authorization"},
                             {"description",
                              "The `token` of a login as it is: it begins with `Bearer `."}}}}}};
}

}  // namespace

std::string MakeOpenApi(const RouteTable& table, const ApiDescription& description) {
  json::array tags;
  for (const Tag& tag : table.tags()) {
    tags.push_back(json::object{{"name", tag.name}, {"description", tag.description}});
  }
  json::object paths;
  for (const Route& route : table.routes()) {
    if (!route.is_documented) continue;
    json::value& path = paths[route.pattern];
    if (path.is_null()) path.emplace_object();
    std::string method(Name(route.method));
    for (char& letter : method) letter = static_cast<char>(std::tolower(letter));
    path.as_object()[method] = DescribeOperation(route, table.components());
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
