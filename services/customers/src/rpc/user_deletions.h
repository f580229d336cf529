#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "platform/base/result.h"
#include "platform/base/task.h"
#include "platform/grpc/server_call.h"
#include "services/customers/src/domain/deletion.h"

namespace customers {

// Returns the first deletions after a position, none if there are no further ones, and kNotFound if
// no deletion has the position.
using ReadDeletions =
    std::function<platform::Task<platform::Result<std::vector<Deletion>>>(std::int64_t after)>;

struct UserDeletionsLimits {
  std::size_t streams = 64;  // Further streams end with RESOURCE_EXHAUSTED.
  // Time between two looks for further deletions, each with a message, even if there are none.
  std::chrono::milliseconds interval{500};
  // Then a stream ends with OK. Less than the grace of connections that have reached their maximum
  // age (platform::grpc::ServerOptions), so none is cut.
  std::chrono::milliseconds max_age{5000};
};

// Makes the streaming method of customers.v1.UserDeletions, as described in user_deletions.proto.
// `workers` are those of the server: each function is called on its worker.
platform::grpc::Method StreamDeletionsMethod(std::vector<ReadDeletions> workers,
                                             UserDeletionsLimits limits = {});

}  // namespace customers
