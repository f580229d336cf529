#include "services/customers/src/rpc/user_auth.h"

#include <expected>
#include <string>
#include <string_view>
#include <utility>

#include "proto/auth.pb.h"

namespace customers {
namespace {

using platform::Result;
using platform::Task;
using platform::grpc::ServerCall;
using platform::grpc::Status;
using platform::grpc::StatusCode;

constexpr std::string_view kMethod = "UserAuth/ValidateToken";

Status ToStatus(const platform::Error& error) {
  // The reference reports a refused token by this status.
  if (IsRefusal(error)) return {StatusCode::kInvalidArgument, error.reason};
  if (error.code == platform::ErrorCode::kUnavailable) {
    return {StatusCode::kUnavailable, "Temporarily unavailable"};
  }
  return {StatusCode::kInternal, "Internal error"};
}

AuthResponse ToResponse(Identity identity) {
  AuthResponse response;
  Payload& payload = *response.mutable_payload();
  payload.set_user_id(identity.id);
  payload.set_email(std::move(identity.email));
  payload.set_is_admin(identity.is_admin);
  return response;
}

Task<std::expected<AuthResponse, Status>> Answer(const ValidationWorker& worker, ServerCall& call,
                                                 const AuthRequest& request) {
  // Not made within the co_await, because Clang 19 then leaks it if the coroutine is destroyed.
  std::vector<AskedToken> tokens{{.authorization = request.token().value(),
                                  .request_id = call.Metadata("x-request-id"),
                                  .traceparent = call.Metadata("traceparent")}};
  auto verdicts = co_await Judge(worker, kMethod, std::move(tokens));
  Result<Identity>& identity = verdicts.front();
  if (identity) co_return ToResponse(*std::move(identity));
  Status status = ToStatus(identity.error());
  // This makes gRPC clients not repeat the call by themselves.
  if (status.code == StatusCode::kUnavailable) call.AddTrailer("grpc-retry-pushback-ms", "-1");
  co_return std::unexpected(std::move(status));
}

}  // namespace

platform::grpc::Method ValidateTokenMethod(std::vector<ValidationWorker> workers,
                                           std::size_t max_calls) {
  return platform::grpc::Unary<AuthRequest, AuthResponse>(
      "/" + std::string(kMethod), max_calls,
      [workers = std::move(workers)](ServerCall& call, const AuthRequest& request) {
        return Answer(workers[call.worker()], call, request);
      });
}

}  // namespace customers
