#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "services/customers/src/rpc/validation.h"

namespace grpc {
class Service;
}  // namespace grpc

namespace customers {

// Calls open at once; further ones end with RESOURCE_EXHAUSTED.
inline constexpr std::size_t kMaxUserAuthCalls = 4096;

// The UserAuth service: gives each call to the next worker in turn. Statuses: OK;
// INVALID_ARGUMENT with the reason for a refused token; UNAVAILABLE when it cannot be told now;
// INTERNAL without details for anything else.
//
// `workers` is not empty. The service must outlive the server it is registered with. A worker that
// stops leaves no call unanswered once its execution context is destroyed, but before that its open
// calls wait: shut the gRPC server down while the workers still run.
std::unique_ptr<::grpc::Service> MakeUserAuthService(std::vector<ValidationWorker> workers,
                                                     std::size_t max_calls = kMaxUserAuthCalls);

}  // namespace customers
