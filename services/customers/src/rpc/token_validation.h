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
  std::size_t streams = 1024;  // Further ones end with RESOURCE_EXHAUSTED.
  // A stream with that many queries without a written verdict is not read on. A message more may
  // have been read by then: 1024 queries.
  std::size_t open_queries = 2048;
};

// The streaming service customers.v1.TokenValidation, as token_validation.proto describes it. Each
// stream is given to one worker, in turn; the queries of a message are validated there together.
//
// `workers` is not empty. Outlives the server that its service is registered with. A worker that is
// gone leaves no stream open: those with work there end with UNAVAILABLE once its execution context
// is destroyed.
class TokenValidationService {
 public:
  explicit TokenValidationService(std::vector<ValidationWorker> workers,
                                  TokenValidationLimits limits = {});
  ~TokenValidationService();
  TokenValidationService(const TokenValidationService&) = delete;
  TokenValidationService& operator=(const TokenValidationService&) = delete;

  ::grpc::Service& service();

  // Ends all streams with UNAVAILABLE as soon as what is open on them is answered, and new ones at
  // once. To be called before the server is shut down, whose period of grace they would use up, and
  // while the workers still run. Any thread.
  void EndStreams();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace customers
