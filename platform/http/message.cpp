#include "platform/http/message.h"

#include <fmt/format.h>

#include <array>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http/status.hpp>
#include <utility>

#include "platform/schema/write.h"

namespace platform::http {
namespace {

// `details` are shown as far as they are given.
Response Render(ErrorStatus status, const Error& details) {
  const auto [code, standard_reason] = NameOf(status);
  Response response{.status = std::to_underlying(status)};
  std::string& body = response.body;
  body = R"({"error":{"code":)";
  schema::WriteText(code, body);
  body += R"(,"message":)";
  if (details.fields.empty()) {
    schema::WriteText(fmt::format("{}: {}", response.status,
                                  details.reason.empty() ? standard_reason : details.reason),
                      body);
  } else {
    schema::WriteText("Request validation has failed", body);
    body += R"(,"fields":{)";
    for (char separator = ' '; const auto& [field, messages] : details.fields) {
      if (separator == ',') body += separator;
      separator = ',';
      schema::WriteText(field, body);
      body += ':';
      schema::Write(messages, body);
    }
    body += '}';
  }
  body += "}}";
  if (details.retry_after) {
    response.headers.emplace_back("Retry-After", std::to_string(details.retry_after->count()));
  }
  if (status == ErrorStatus::kUnauthorized) {
    response.headers.emplace_back("WWW-Authenticate", "Bearer");
  }
  return response;
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

ErrorStatus StatusOf(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument:
      return ErrorStatus::kBadRequest;
    case ErrorCode::kUnauthenticated:
      return ErrorStatus::kUnauthorized;
    case ErrorCode::kPermissionDenied:
      return ErrorStatus::kForbidden;
    case ErrorCode::kNotFound:
      return ErrorStatus::kNotFound;
    case ErrorCode::kConflict:
      return ErrorStatus::kConflict;
    case ErrorCode::kPreconditionFailed:
      return ErrorStatus::kPreconditionFailed;
    case ErrorCode::kUnprocessable:
      return ErrorStatus::kUnprocessableEntity;
    case ErrorCode::kPreconditionRequired:
      return ErrorStatus::kPreconditionRequired;
    case ErrorCode::kTooManyRequests:
      return ErrorStatus::kTooManyRequests;
    case ErrorCode::kUnavailable:
      return ErrorStatus::kServiceUnavailable;
    case ErrorCode::kInternal:
      break;
  }
  return ErrorStatus::kInternalServerError;
}

StatusName NameOf(ErrorStatus status) {
  switch (status) {
    case ErrorStatus::kBadRequest:
      return {"bad_request", "Bad Request"};
    case ErrorStatus::kUnauthorized:
      return {"unauthorized", "Unauthorized"};
    case ErrorStatus::kForbidden:
      return {"forbidden", "Forbidden"};
    case ErrorStatus::kNotFound:
      return {"not_found", "Not Found"};
    case ErrorStatus::kMethodNotAllowed:
      return {"method_not_allowed", "Method Not Allowed"};
    case ErrorStatus::kRequestTimeout:
      return {"request_timeout", "Request Timeout"};
    case ErrorStatus::kConflict:
      return {"conflict", "Conflict"};
    case ErrorStatus::kPreconditionFailed:
      return {"precondition_failed", "Precondition Failed"};
    case ErrorStatus::kPayloadTooLarge:
      return {"request_entity_too_large", "Request Entity Too Large"};
    case ErrorStatus::kExpectationFailed:
      return {"expectation_failed", "Expectation Failed"};
    case ErrorStatus::kUnprocessableEntity:
      return {"unprocessable_entity", "Unprocessable Entity"};
    case ErrorStatus::kPreconditionRequired:
      return {"precondition_required", "Precondition Required"};
    case ErrorStatus::kTooManyRequests:
      return {"too_many_requests", "Too Many Requests"};
    case ErrorStatus::kHeaderFieldsTooLarge:
      return {"request_header_fields_too_large", "Request Header Fields Too Large"};
    case ErrorStatus::kInternalServerError:
      break;
    case ErrorStatus::kServiceUnavailable:
      return {"service_unavailable", "Service Unavailable"};
  }
  return {"internal_server_error", "Internal Server Error"};
}

std::string_view ReasonPhrase(unsigned status) {
  return boost::beast::http::obsolete_reason(static_cast<boost::beast::http::status>(status));
}

Response ToResponse(const Error& error) { return Render(StatusOf(error.code), error); }

Response ToResponse(ErrorStatus status) { return Render(status, {}); }

}  // namespace platform::http
