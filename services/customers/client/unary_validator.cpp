#include "services/customers/client/unary_validator.h"

#include <grpcpp/channel.h>

#include <string>
#include <utility>

#include "platform/grpc/unary.h"
#include "platform/log/log.h"
#include "platform/schema/text.h"

namespace customers::client {
namespace {

using platform::Error;
using platform::Result;
using platform::Task;

// A call is repeated once if its connection breaks. Repetitions must not increase an overload. So
// the customers service forbids them (retry pushback) when it answers UNAVAILABLE itself, and when
// many calls fail, no call is repeated until enough have succeeded.
constexpr const char* kServiceConfig = R"({
  "methodConfig": [{
    "name": [{"service": "UserAuth", "method": "ValidateToken"}],
    "retryPolicy": {
      "maxAttempts": 2,
      "initialBackoff": "0.02s",
      "maxBackoff": "0.1s",
      "backoffMultiplier": 2,
      "retryableStatusCodes": ["UNAVAILABLE"]
    }
  }],
  "retryThrottling": {"maxTokens": 100, "tokenRatio": 0.1}
})";

}  // namespace

UnaryValidator::UnaryValidator(const TokenValidatorOptions& options)
    : replicas_(options.replicas, {.tls = options.tls, .service_config = kServiceConfig}) {}

Task<Result<Caller>> UnaryValidator::Validate(std::string_view authorization, Origin origin,
                                              Clock::time_point deadline) {
  if (!platform::schema::IsText(authorization)) {
    co_return std::unexpected(Error::PermissionDenied(kInvalidHeader));
  }
  AuthRequest request;
  request.mutable_token()->set_value(std::string(authorization));
  auto [status, response] = co_await platform::grpc::Unary(
      *replicas_.Next().async(), &UserAuth::StubInterface::async_interface::ValidateToken,
      std::move(request), std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()),
      {{"x-request-id", std::string(origin.request_id)},
       {"traceparent", std::string(origin.traceparent)}});
  NoteStatus(status.error_code());
  switch (status.error_code()) {
    case ::grpc::StatusCode::OK:
      break;
    case ::grpc::StatusCode::INVALID_ARGUMENT:
      co_return std::unexpected(Error::PermissionDenied(status.error_message()));
    default:
      co_return std::unexpected(Error::Unavailable());
  }
  Payload& payload = *response.mutable_payload();
  co_return Caller{.id = payload.user_id(),
                   .email = std::move(*payload.mutable_email()),
                   .is_admin = payload.is_admin()};
}

// Logs when calls begin to fail, when they fail in a different way, and when they succeed again.
void UnaryValidator::NoteStatus(::grpc::StatusCode code) {
  const bool is_verdict =
      code == ::grpc::StatusCode::OK || code == ::grpc::StatusCode::INVALID_ARGUMENT;
  const auto failure = is_verdict ? ::grpc::StatusCode::OK : code;
  if (std::exchange(last_failure_, failure) == failure) return;
  if (is_verdict) {
    platform::log::Info("customers answers again");
  } else {
    platform::log::Warning("customers does not validate tokens",
                           {{"grpc_status", static_cast<int>(code)}});
  }
}

}  // namespace customers::client
