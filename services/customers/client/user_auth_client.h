#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "platform/grpc/tls.h"
#include "services/customers/client/token_validator.h"

namespace customers::client {

struct UserAuthClientOptions {
  std::string host;  // A name or an IP address, for which customers' certificate must be valid.
  std::uint16_t port = 50051;
  platform::grpc::TlsFiles tls;
  // From a question to its answer, whichever way it goes; connecting and a repeated attempt
  // included.
  std::chrono::milliseconds timeout{2000};
};

// Makes one UserAuth.ValidateToken call for each token, over a connection of its own. A call whose
// connection breaks is made once more before the deadline. For one worker; outlives its tasks.
class UserAuthClient {
 public:
  using Clock = std::chrono::steady_clock;

  virtual ~UserAuthClient() = default;

  // As TokenValidator::Validate, for an authorization that outlives the task. One that is not
  // UTF-8, as UserAuth's string must be, is refused with kInvalidHeader.
  virtual platform::Task<platform::Result<Caller>> Validate(std::string_view authorization,
                                                            Origin origin,
                                                            Clock::time_point deadline) = 0;

  // Whether customers answers a call before the deadline.
  virtual platform::Task<bool> IsReachable(Clock::time_point deadline) = 0;
};

std::unique_ptr<UserAuthClient> MakeUserAuthClient(const UserAuthClientOptions& options);

}  // namespace customers::client
