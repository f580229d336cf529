#include "services/customers/client/unary_validator.h"

#include <algorithm>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <string>
#include <utility>

#include "platform/log/log.h"
#include "platform/schema/text.h"

namespace customers::client {
namespace {

using platform::Error;
using platform::Result;
using platform::Task;
using platform::grpc::StatusCode;

constexpr double kMaxCredit = 100;
constexpr double kCreditForSuccess = 0.1;
constexpr double kMinCredit = 50;  // To repeat a call.
// By then the channel has had the time to connect again.
constexpr std::chrono::milliseconds kPauseBeforeRepetition{20};

bool IsVerdict(StatusCode code) {
  return code == StatusCode::kOk || code == StatusCode::kInvalidArgument;
}

}  // namespace

UnaryValidator::UnaryValidator(std::shared_ptr<platform::grpc::Channel> channel)
    : channel_(std::move(channel)), credit_(kMaxCredit) {}

Task<Result<Caller>> UnaryValidator::Validate(std::string_view authorization, Origin origin,
                                              Clock::time_point deadline) {
  if (!platform::schema::IsText(authorization)) {
    co_return std::unexpected(Error::PermissionDenied(kInvalidHeader));
  }
  AuthRequest request;
  request.mutable_token()->set_value(std::string(authorization));
  Reply reply = co_await Call(request, origin, deadline);
  if (MayRepeat(reply)) {
    boost::asio::steady_timer pause(co_await boost::asio::this_coro::executor,
                                    kPauseBeforeRepetition);
    co_await pause.async_wait(boost::asio::use_awaitable);
    reply = co_await Call(request, origin, deadline);
  }
  NoteStatus(reply.status.code);
  switch (reply.status.code) {
    case StatusCode::kOk:
      break;
    case StatusCode::kInvalidArgument:
      co_return std::unexpected(Error::PermissionDenied(std::move(reply.status.message)));
    default:
      co_return std::unexpected(Error::Unavailable());
  }
  Payload& payload = *reply.response.mutable_payload();
  co_return Caller{.id = payload.user_id(),
                   .email = std::move(*payload.mutable_email()),
                   .is_admin = payload.is_admin()};
}

Task<UnaryValidator::Reply> UnaryValidator::Call(const AuthRequest& request, Origin origin,
                                                 Clock::time_point deadline) {
  Reply reply = co_await platform::grpc::Unary<AuthResponse>(
      *channel_, "/UserAuth/ValidateToken", request,
      std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()),
      {{"x-request-id", std::string(origin.request_id)},
       {"traceparent", std::string(origin.traceparent)}});
  if (IsVerdict(reply.status.code)) {
    credit_ = std::min(credit_ + kCreditForSuccess, kMaxCredit);
  } else {
    credit_ = std::max(credit_ - 1, 0.0);
  }
  co_return reply;
}

// The customers service forbids a repetition when it answers UNAVAILABLE itself.
bool UnaryValidator::MayRepeat(const Reply& reply) {
  return reply.status.code == StatusCode::kUnavailable && reply.is_retry_allowed &&
         credit_ > kMinCredit;
}

// Logs when calls begin to fail, when they fail in a different way, and when they succeed again.
void UnaryValidator::NoteStatus(StatusCode code) {
  const bool is_verdict = IsVerdict(code);
  const auto failure = is_verdict ? StatusCode::kOk : code;
  if (std::exchange(last_failure_, failure) == failure) return;
  if (is_verdict) {
    platform::log::Info("customers answers again");
  } else {
    platform::log::Warning("customers does not validate tokens",
                           {{"grpc_status", static_cast<int>(code)}});
  }
}

}  // namespace customers::client
