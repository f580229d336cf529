#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "services/customers/src/rpc/validation.h"

namespace grpc {
class Service;
}  // namespace grpc

namespace customers {

// Maximum number of open calls; further calls end with RESOURCE_EXHAUSTED.
inline constexpr std::size_t kMaxUserAuthCalls = 4096;

// Makes the UserAuth service, which passes each call to the next worker in turn. Its statuses are
// OK, INVALID_ARGUMENT with the reason for a refused token, UNAVAILABLE if there can be no verdict
// at present, and INTERNAL without details for anything else.
//
// `workers` must not be empty. The service must outlive the server with which it is registered.
// The open calls of a stopped worker are answered when its execution context is destroyed, and wait
// until then. So shut the gRPC server down while the workers still run.
std::unique_ptr<::grpc::Service> MakeUserAuthService(std::vector<ValidationWorker> workers,
                                                     std::size_t max_calls = kMaxUserAuthCalls);

}  // namespace customers
