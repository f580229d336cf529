#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "services/customers/src/rpc/validation.h"

namespace grpc {
class Service;
}  // namespace grpc

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

// The streaming service customers.v1.TokenValidation, as described in token_validation.proto. Each
// stream is assigned to one worker, in turn, which validates the queries of a message together.
//
// `workers` must not be empty. The object must outlive the server with which its service is
// registered. Once the execution context of a worker is destroyed, streams with work there end with
// UNAVAILABLE.
class TokenValidationService {
 public:
  explicit TokenValidationService(std::vector<ValidationWorker> workers,
                                  TokenValidationLimits limits = {});
  ~TokenValidationService();
  TokenValidationService(const TokenValidationService&) = delete;
  TokenValidationService& operator=(const TokenValidationService&) = delete;

  ::grpc::Service& service();

  // Ends all streams with OK as soon as their open queries are answered, and new streams at once.
  // Call it before the server is shut down, because streams would use up its period of grace, and
  // while the workers still run. Any thread.
  void EndStreams();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace customers
