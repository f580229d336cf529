#pragma once

#include <chrono>
#include <memory>
#include <string_view>

#include "platform/grpc/channel.h"
#include "proto/auth.pb.h"
#include "services/customers/client/token_validator.h"

namespace customers::client {

// Validates each token with a unary call of UserAuth.ValidateToken. A call whose connection breaks
// is repeated once before its deadline. Belongs to one event loop; outlives its tasks.
class UnaryValidator {
 public:
  using Clock = std::chrono::steady_clock;

  explicit UnaryValidator(std::shared_ptr<platform::grpc::Channel> channel);

  // As TokenValidator::Validate, but `authorization` must outlive the task. If it is not UTF-8,
  // which UserAuth's string must be, it is rejected with kInvalidHeader.
  platform::Task<platform::Result<Caller>> Validate(std::string_view authorization, Origin origin,
                                                    Clock::time_point deadline);

 private:
  using Reply = platform::grpc::UnaryReply<AuthResponse>;

  platform::Task<Reply> Call(const AuthRequest& request, Origin origin, Clock::time_point deadline);
  bool MayRepeat(const Reply& reply);
  void NoteStatus(platform::grpc::StatusCode code);

  const std::shared_ptr<platform::grpc::Channel> channel_;
  // Falls by 1 with each failure, and rises by a tenth with each success, up to its maximum. No
  // call is repeated while it is low, because repetitions must not increase an overload.
  double credit_;
  platform::grpc::StatusCode last_failure_ = platform::grpc::StatusCode::kOk;
};

}  // namespace customers::client
