#include "platform/http/openapi.h"

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <iterator>
#include <limits>
#include <optional>
#include <set>
#include <utility>

#include "platform/base/version.h"
#include "platform/http/openapi_example.h"

namespace platform::http {
namespace {

namespace json = boost::json;

// Component names have no spaces (OpenAPI 3.1, section 4.8.7.1).
constexpr std::string_view kSecurityScheme = "JWT-Authorization";
constexpr std::string_view kRequestId = "X-Request-ID";
constexpr std::string_view kETag = "ETag";
constexpr std::string_view kExampleTag = R"("7-d02b860d4cab7794")";

// In the order in which they are listed.
using Errors = std::set<ErrorStatus>;

json::object Reference(std::string_view section, std::string_view name) {
  return {{"$ref", "#/components/" + std::string(section) + "/" + std::string(name)}};
}

json::object JsonContent(json::object schema, json::value example) {
  return {{"application/json",
           json::object{{"schema", std::move(schema)}, {"example", std::move(example)}}}};
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

// Returns whether a request for the object is answered with 304 if its client has it already.
bool AnswersIfNoneMatch(const Route& route) {
  return route.is_tagged && route.method == Method::kGet;
}

json::object ConditionParameter(std::string_view name, std::string_view description,
                                bool is_required) {
  return {{"name", name},
          {"in", "header"},
          {"description", description},
          {"required", is_required},
          {"schema", json::object{{"type", "string"}, {"examples", {kExampleTag}}}}};
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
  // The answer to a method that the path does not have is listed with each method that it has,
  // because OpenAPI has no other place for it.
  Errors errors{ErrorStatus::kMethodNotAllowed, ErrorStatus::kHeaderFieldsTooLarge,
                ErrorStatus::kInternalServerError, ErrorStatus::kServiceUnavailable};
  for (const auto* codes : {&route.operation.errors, &route.access.errors}) {
    std::ranges::transform(*codes, std::inserter(errors, errors.end()), StatusOf);
  }
  if (route.pattern.contains('{')) errors.insert(ErrorStatus::kNotFound);
  if (!route.query_parameters.empty() || route.body) {
    errors.insert({ErrorStatus::kBadRequest, ErrorStatus::kUnprocessableEntity});
  }
  if (route.body) errors.insert(ErrorStatus::kPayloadTooLarge);
  if (route.if_match != Route::Condition::kNone) errors.insert(ErrorStatus::kPreconditionFailed);
  if (route.if_match == Route::Condition::kRequired) {
    errors.insert(ErrorStatus::kPreconditionRequired);
  }
  return errors;
}

// Returns the name of the component that describes an error's answer, such as "not_found".
std::string_view ComponentName(ErrorStatus status) { return NameOf(status).code; }

json::object DescribeAnswers(const Route& route, const schema::Components& components) {
  json::object headers{{kRequestId, Reference("headers", kRequestId)}};
  if (route.is_tagged) headers[kETag] = Reference("headers", kETag);
  json::object answers;
  for (const unsigned status : route.successes) {
    json::object success{{"description", ReasonPhrase(status)}, {"headers", headers}};
    if (route.answer) {
      success["content"] = JsonContent(*route.answer, MakeExample(*route.answer, components));
    }
    answers[std::to_string(status)] = std::move(success);
  }
  if (AnswersIfNoneMatch(route)) {
    answers["304"] = {{"description", "The client has this state already."}, {"headers", headers}};
  }
  for (const ErrorStatus status : ErrorsOf(route)) {
    answers[std::to_string(std::to_underlying(status))] =
        Reference("responses", ComponentName(status));
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
  for (const std::string_view name : ParameterNames(route.pattern)) {
    parameters.push_back(PathParameter(name));
  }
  if (route.if_match != Route::Condition::kNone) {
    parameters.push_back(ConditionParameter(
        "If-Match", "The object is changed only if one of these entity tags is its present one.",
        route.if_match == Route::Condition::kRequired));
  }
  if (AnswersIfNoneMatch(route)) {
    parameters.push_back(ConditionParameter(
        "If-None-Match", "The entity tag of the state that the client has.", false));
  }
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
std::string_view Explain(ErrorStatus status) {
  switch (status) {
    case ErrorStatus::kBadRequest:
      return "The request is malformed or cannot be carried out; see `fields`.";
    case ErrorStatus::kUnauthorized:
      return "The token is missing, expired or invalid.";
    case ErrorStatus::kForbidden:
      return "The token's user does not have this permission, or the token is not accepted.";
    case ErrorStatus::kNotFound:
      return "No object has this id.";
    case ErrorStatus::kMethodNotAllowed:
      return "The path does not have the request's method; `Allow` names the methods that it has.";
    case ErrorStatus::kConflict:
      return "The request would violate a rule in the present state.";
    case ErrorStatus::kPreconditionFailed:
      return "The object is in another state than `If-Match` names; nothing was changed.";
    case ErrorStatus::kPayloadTooLarge:
      return "The body is too large.";
    case ErrorStatus::kUnprocessableEntity:
      return "Fields of the request are invalid; `fields` names all of them.";
    case ErrorStatus::kPreconditionRequired:
      return "`If-Match` is missing.";
    case ErrorStatus::kTooManyRequests:
      return "Too many attempts; wait for the time in `Retry-After`.";
    case ErrorStatus::kHeaderFieldsTooLarge:
      return "The request line and headers are too large.";
    case ErrorStatus::kInternalServerError:
      return "The service has failed; its log has the details under the request's id.";
    case ErrorStatus::kServiceUnavailable:
      return "The service is too busy, or one of its dependencies does not answer.";
    default:
      return NameOf(status).reason;
  }
}

bool HasFields(ErrorStatus status) {
  return status == ErrorStatus::kBadRequest || status == ErrorStatus::kConflict ||
         status == ErrorStatus::kUnprocessableEntity;
}

// Returns the schema of the API's error object.
json::object ErrorSchema(ErrorStatus status) {
  json::object properties{
      {"code", json::object{{"const", NameOf(status).code}}},
      {"message", json::object{{"type", "string"}, {"description", "A message for people."}}},
  };
  if (HasFields(status)) {
    properties["fields"] = {
        {"type", "object"},
        {"description", "The errors of each field of the request."},
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
json::value ErrorExample(ErrorStatus status) {
  const auto field_error = [](ErrorCode code, std::string_view field, std::string_view message) {
    return ToResponse(Error::Field(code, field, message));
  };
  const Response response =
      status == ErrorStatus::kBadRequest
          ? field_error(ErrorCode::kInvalidArgument, "json", "Invalid JSON body.")
      : status == ErrorStatus::kUnprocessableEntity
          ? field_error(ErrorCode::kUnprocessable, "email", "Not a valid email address.")
          : ToResponse(status);
  return json::parse(response.body);
}

// Returns the headers of an error's answer beyond the headers of every answer.
std::vector<std::string_view> HeadersOf(ErrorStatus status) {
  switch (status) {
    case ErrorStatus::kServiceUnavailable:
    case ErrorStatus::kTooManyRequests:
      return {"Retry-After"};
    case ErrorStatus::kUnauthorized:
      return {"WWW-Authenticate"};
    case ErrorStatus::kMethodNotAllowed:
      return {"Allow"};
    default:
      return {};
  }
}

json::object DescribeError(ErrorStatus status) {
  json::object headers{{kRequestId, Reference("headers", kRequestId)}};
  for (const std::string_view name : HeadersOf(status)) headers[name] = Reference("headers", name);
  return {{"description", Explain(status)},
          {"headers", std::move(headers)},
          {"content", JsonContent(ErrorSchema(status), ErrorExample(status))}};
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
    return Header("The request's X-Request-ID, or a new one.", text,
                  "4b0d1f5e9c3a47d28e6f0a1b2c3d4e5f");
  }
  if (name == "Retry-After") {
    return Header("Seconds after which the request may be repeated.",
                  {{"type", "integer"}, {"minimum", 1}}, 1);
  }
  if (name == "Allow") return Header("The methods that the path has.", text, "GET, HEAD, OPTIONS");
  if (name == kETag) {
    return Header("The entity tag of the object's state.", text, json::string(kExampleTag));
  }
  return Header("The authentication scheme.", text, "Bearer");
}

json::object DescribeComponents(const RouteTable& table) {
  json::object responses;
  json::object headers{{kRequestId, DescribeHeader(kRequestId)}};
  for (const Route& route : table.routes()) {
    if (!route.is_documented) continue;
    if (route.is_tagged) headers[kETag] = DescribeHeader(kETag);
    for (const ErrorStatus status : ErrorsOf(route)) {
      responses[ComponentName(status)] = DescribeError(status);
      for (const std::string_view name : HeadersOf(status)) headers[name] = DescribeHeader(name);
    }
  }
  return {
      {"schemas", table.components()},
      {"responses", std::move(responses)},
      {"headers", std::move(headers)},
      {"securitySchemes",
       json::object{
           {kSecurityScheme,
            json::object{{"type", "apiKey"},
                         {"in", "header"},
                         {"name", "Authorization"},
                         {"description",
                          "The unchanged `token` of a login, which begins with `Bearer `."}}}}}};
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
