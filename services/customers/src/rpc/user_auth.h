#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "platform/result/result.h"
#include "platform/runtime/task.h"
#include "services/customers/src/domain/identity.h"

namespace grpc {
class Service;
}  // namespace grpc

namespace customers {

// Tells whose token it is. `authorization` is the value of the Authorization header, unparsed.
// A refused token is kUnauthenticated or kPermissionDenied with a reason.
using ValidateToken =
    std::function<platform::Task<platform::Result<Identity>>(std::string authorization)>;

// One worker: where its validations run, and how.
struct ValidationWorker {
  boost::asio::any_io_executor executor;
  ValidateToken validate;
};

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
