#pragma once

#include <grpcpp/support/status.h>

#include <chrono>
#include <string_view>

#include "platform/grpc/replicas.h"
#include "proto/auth.grpc.pb.h"
#include "services/customers/client/token_validator.h"

namespace customers::client {

// Validates each token with a unary call of UserAuth.ValidateToken, over connections of its own. A
// call whose connection breaks is repeated once before its deadline, to the same host. Belongs to
// one event loop; outlives its tasks.
class UnaryValidator {
 public:
  using Clock = std::chrono::steady_clock;

  explicit UnaryValidator(const TokenValidatorOptions& options);

  // As TokenValidator::Validate, but `authorization` must outlive the task. If it is not UTF-8,
  // which UserAuth's string must be, it is rejected with kInvalidHeader.
  platform::Task<platform::Result<Caller>> Validate(std::string_view authorization, Origin origin,
                                                    Clock::time_point deadline);

 private:
  void NoteStatus(::grpc::StatusCode code);

  platform::grpc::Replicas<UserAuth> replicas_;
  ::grpc::StatusCode last_failure_ = ::grpc::StatusCode::OK;
};

}  // namespace customers::client
