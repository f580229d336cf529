#pragma once

#include <cstddef>
#include <vector>

#include "platform/grpc/server_call.h"
#include "services/customers/src/rpc/validation.h"

namespace customers {

// Maximum number of open calls; further calls end with RESOURCE_EXHAUSTED.
inline constexpr std::size_t kMaxUserAuthCalls = 4096;

// Makes the method of UserAuth. Its statuses are OK, INVALID_ARGUMENT with the reason for a refused
// token, UNAVAILABLE if there can be no verdict at present, and INTERNAL without details for
// anything else. `workers` are those of the server.
platform::grpc::Method ValidateTokenMethod(std::vector<ValidationWorker> workers,
                                           std::size_t max_calls = kMaxUserAuthCalls);

}  // namespace customers
