#include "platform/http/message.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http/status.hpp>

#include "platform/schema/write.h"

namespace platform::http {
namespace {

struct WireError {
  unsigned status;
  StatusName name;
};

// The only mapping from errors to HTTP.
constexpr WireError Wire(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument:
      return {400, {"bad_request", "Bad Request"}};
    case ErrorCode::kUnauthenticated:
      return {401, {"unauthorized", "Unauthorized"}};
    case ErrorCode::kPermissionDenied:
      return {403, {"forbidden", "Forbidden"}};
    case ErrorCode::kNotFound:
      return {404, {"not_found", "Not Found"}};
    case ErrorCode::kMethodNotAllowed:
      return {405, {"method_not_allowed", "Method Not Allowed"}};
    case ErrorCode::kRequestTimeout:
      return {408, {"request_timeout", "Request Timeout"}};
    case ErrorCode::kPayloadTooLarge:
      return {413, {"request_entity_too_large", "Request Entity Too Large"}};
    case ErrorCode::kExpectationFailed:
      return {417, {"expectation_failed", "Expectation Failed"}};
    case ErrorCode::kUnprocessable:
      return {422, {"unprocessable_entity", "Unprocessable Entity"}};
    case ErrorCode::kTooManyRequests:
      return {429, {"too_many_requests", "Too Many Requests"}};
    case ErrorCode::kHeaderFieldsTooLarge:
      return {431, {"request_header_fields_too_large", "Request Header Fields Too Large"}};
    case ErrorCode::kInternal:
      return {500, {"internal_server_error", "Internal Server Error"}};
    case ErrorCode::kUnavailable:
      return {503, {"service_unavailable", "Service Unavailable"}};
  }
  return {500, {"internal_server_error", "Internal Server Error"}};
}

}  // namespace

std::string_view Name(Method method) {
  static constexpr std::array<std::string_view, 8> kNames{"GET",   "HEAD",   "POST",    "PUT",
                                                          "PATCH", "DELETE", "OPTIONS", ""};
  return kNames.at(static_cast<std::size_t>(method));
}

std::optional<std::string_view> Request::Header(std::string_view name) const {
  for (const HeaderField& field : headers) {
    if (boost::beast::iequals(field.name, name)) return field.value;
  }
  return std::nullopt;
}

unsigned StatusOf(ErrorCode code) { return Wire(code).status; }

StatusName NameOf(ErrorCode code) { return Wire(code).name; }

std::string_view ReasonPhrase(unsigned status) {
  return boost::beast::http::obsolete_reason(static_cast<boost::beast::http::status>(status));
}

Response ToResponse(const Error& error) {
  const auto [status, name] = Wire(error.code);
  Response response{.status = status};
  std::string& body = response.body;
  body = R"({"error":{"code":)";
  schema::WriteText(name.code, body);
  body += R"(,"message":)";
  if (error.fields.empty()) {
    schema::WriteText(
        fmt::format("{}: {}", status, error.reason.empty() ? name.reason : error.reason), body);
  } else {
    schema::WriteText("Request validation has failed", body);
    body += R"(,"fields":{)";
    for (char separator = ' '; const auto& [field, messages] : error.fields) {
      if (separator == ',') body += separator;
      separator = ',';
      schema::WriteText(field, body);
      body += ':';
      schema::Write(messages, body);
    }
    body += '}';
  }
  body += "}}";
  if (error.retry_after) {
    response.headers.emplace_back("Retry-After", std::to_string(error.retry_after->count()));
  }
  if (error.code == ErrorCode::kUnauthenticated) {
    response.headers.emplace_back("WWW-Authenticate", "Bearer");
  }
  return response;
}

}  // namespace platform::http
