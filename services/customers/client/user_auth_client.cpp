#include "services/customers/client/user_auth_client.h"

#include <grpcpp/channel.h>

#include <utility>

#include "platform/grpc/channel.h"
#include "platform/grpc/unary.h"
#include "platform/log/log.h"
#include "platform/schema/text.h"
#include "proto/auth.grpc.pb.h"

namespace customers::client {
namespace {

// One more attempt when the connection breaks under a call. Retries must not feed an overload:
// customers forbids them when it answers UNAVAILABLE itself (retry pushback), and when many calls
// fail none is repeated until enough have succeeded.
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

bool IsAnswer(::grpc::StatusCode code) {
  return code == ::grpc::StatusCode::OK || code == ::grpc::StatusCode::INVALID_ARGUMENT;
}

std::chrono::milliseconds Until(UserAuthClient::Clock::time_point deadline) {
  return std::chrono::ceil<std::chrono::milliseconds>(deadline - UserAuthClient::Clock::now());
}

class UserAuthCalls final : public UserAuthClient {
 public:
  explicit UserAuthCalls(const UserAuthClientOptions& options)
      : channel_(platform::grpc::MakeChannel({.host = options.host,
                                              .port = options.port,
                                              .tls = options.tls,
                                              .service_config = kServiceConfig})),
        stub_(UserAuth::NewStub(channel_)) {}

  platform::Task<platform::Result<Caller>> Validate(std::string_view authorization, Origin origin,
                                                    Clock::time_point deadline) override {
    if (!platform::schema::IsText(authorization)) {
      co_return std::unexpected(platform::Error::PermissionDenied(kInvalidHeader));
    }
    AuthRequest request;
    request.mutable_token()->set_value(std::string(authorization));
    auto [status, response] = co_await platform::grpc::Unary(
        *stub_->async(), &UserAuth::StubInterface::async_interface::ValidateToken,
        std::move(request), Until(deadline),
        {{"x-request-id", std::string(origin.request_id)},
         {"traceparent", std::string(origin.traceparent)}});

    NoteStatus(status.error_code());
    switch (status.error_code()) {
      case ::grpc::StatusCode::OK:
        break;
      case ::grpc::StatusCode::INVALID_ARGUMENT:
        co_return std::unexpected(platform::Error::PermissionDenied(status.error_message()));
      default:
        co_return std::unexpected(platform::Error::Unavailable());
    }
    Payload& payload = *response.mutable_payload();
    co_return Caller{.id = payload.user_id(),
                     .email = std::move(*payload.mutable_email()),
                     .is_admin = payload.is_admin()};
  }

  platform::Task<bool> IsReachable(Clock::time_point deadline) override {
    // A call without a token is refused by whoever can answer one with a token.
    const auto [status, response] = co_await platform::grpc::Unary(
        *stub_->async(), &UserAuth::StubInterface::async_interface::ValidateToken, AuthRequest(),
        Until(deadline));
    co_return IsAnswer(status.error_code());
  }

 private:
  // Logs when customers stops answering, in which way, and when it answers again; not each call.
  void NoteStatus(::grpc::StatusCode code) {
    const bool answered = IsAnswer(code);
    const auto failure = answered ? ::grpc::StatusCode::OK : code;
    if (std::exchange(last_failure_, failure) == failure) {
      return;
    }
    if (answered) {
      platform::log::Info("customers answers again");
    } else {
      platform::log::Warning("customers does not validate tokens",
                             {{"grpc_status", static_cast<int>(code)}});
    }
  }

  const std::shared_ptr<::grpc::Channel> channel_;
  const std::unique_ptr<UserAuth::Stub> stub_;
  ::grpc::StatusCode last_failure_ = ::grpc::StatusCode::OK;
};

}  // namespace

std::unique_ptr<UserAuthClient> MakeUserAuthClient(const UserAuthClientOptions& options) {
  return std::make_unique<UserAuthCalls>(options);
}

}  // namespace customers::client
