#pragma once

#include <grpcpp/support/status.h>

#include <chrono>
#include <memory>
#include <string_view>

#include "proto/auth.grpc.pb.h"
#include "services/customers/client/token_validator.h"

namespace customers::client {

// Validates each token with a unary call of UserAuth.ValidateToken, over a connection of its own. A
// call whose connection breaks is repeated once before its deadline. Belongs to one event loop;
// outlives its tasks.
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

  const std::unique_ptr<UserAuth::Stub> stub_;
  ::grpc::StatusCode last_failure_ = ::grpc::StatusCode::OK;
};

}  // namespace customers::client
