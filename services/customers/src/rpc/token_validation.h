#pragma once

#include <cstddef>
#include <vector>

#include "platform/grpc/server_call.h"
#include "services/customers/src/rpc/validation.h"

namespace customers {

struct TokenValidationLimits {
  std::size_t streams = 1024;  // Further streams end with RESOURCE_EXHAUSTED.
  // A stream is not read while it has this many queries whose verdict is not written. One more
  // message of up to 1024 queries may have been read by then.
  std::size_t open_queries = 2048;
  // Bytes of the messages that are being answered, on all streams together. The queries of further
  // ones are answered with `unavailable` at once.
  std::size_t open_bytes = std::size_t{16} << 20;
};

// Makes the streaming method of customers.v1.TokenValidation, as described in
// token_validation.proto. The queries of a message are validated together, on the worker to which
// the stream's connection belongs. When the server shuts down, a stream ends with OK as soon as its
// open queries are answered. `workers` are those of the server.
platform::grpc::Method ValidateTokensMethod(std::vector<ValidationWorker> workers,
                                            TokenValidationLimits limits = {});

}  // namespace customers
