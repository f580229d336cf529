#include "platform/grpc/status.h"

#include <string>
#include <utility>

namespace platform::grpc {
namespace {

std::pair<::grpc::StatusCode, const char*> CodeAndPhrase(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kUnprocessable:
    case ErrorCode::kExpectationFailed:
      return {::grpc::StatusCode::INVALID_ARGUMENT, "Invalid argument"};
    case ErrorCode::kUnauthenticated:
      return {::grpc::StatusCode::UNAUTHENTICATED, "Unauthenticated"};
    case ErrorCode::kPermissionDenied:
      return {::grpc::StatusCode::PERMISSION_DENIED, "Permission denied"};
    case ErrorCode::kNotFound:
      return {::grpc::StatusCode::NOT_FOUND, "Not found"};
    case ErrorCode::kMethodNotAllowed:
    case ErrorCode::kNotImplemented:
      return {::grpc::StatusCode::UNIMPLEMENTED, "Not implemented"};
    case ErrorCode::kRequestTimeout:
      return {::grpc::StatusCode::DEADLINE_EXCEEDED, "Deadline exceeded"};
    case ErrorCode::kPayloadTooLarge:
    case ErrorCode::kHeaderFieldsTooLarge:
    case ErrorCode::kTooManyRequests:
      return {::grpc::StatusCode::RESOURCE_EXHAUSTED, "Resource exhausted"};
    case ErrorCode::kUnavailable:
      return {::grpc::StatusCode::UNAVAILABLE, "Temporarily unavailable"};
    case ErrorCode::kInternal:
      break;
  }
  return {::grpc::StatusCode::INTERNAL, "Internal error"};
}

}  // namespace

::grpc::Status ToStatus(const Error& error) {
  const auto [code, phrase] = CodeAndPhrase(error.code);
  const bool reveal = code != ::grpc::StatusCode::INTERNAL && !error.reason.empty();
  return {code, reveal ? error.reason : std::string(phrase)};
}

}  // namespace platform::grpc
