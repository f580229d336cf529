#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <functional>
#include <string_view>
#include <vector>

#include "platform/base/result.h"
#include "platform/base/task.h"
#include "platform/trace/tracer.h"
#include "services/customers/src/domain/identity.h"
#include "services/customers/src/rpc/verdict_log.h"

namespace customers {

// Returns a verdict for each token, in their order. An authorization is the unparsed value of an
// Authorization header; the texts must outlive the task. A refused token is kUnauthenticated or
// kPermissionDenied with a reason.
using ValidateTokens = std::function<platform::Task<std::vector<platform::Result<Identity>>>(
    std::vector<std::string_view> authorizations)>;

// A worker that validates tokens: the executor to run on, and the function to call there.
struct ValidationWorker {
  boost::asio::any_io_executor executor;
  ValidateTokens validate;
  platform::trace::Tracer* tracer = nullptr;  // Null if no spans are recorded.
};

// Validates tokens on a worker, to be awaited on its executor. Logs each verdict, and records a
// span for each token whose request is recorded, with the caller's span as its parent. `method`
// names the call. The texts must outlive the task. If the validation throws, each verdict is
// kInternal.
platform::Task<std::vector<platform::Result<Identity>>> Judge(const ValidationWorker& worker,
                                                              std::string_view method,
                                                              std::vector<AskedToken> tokens);

// Returns whether the error means that the token is refused, and not that there is no verdict.
inline bool IsRefusal(const platform::Error& error) {
  return error.code == platform::ErrorCode::kUnauthenticated ||
         error.code == platform::ErrorCode::kPermissionDenied;
}

}  // namespace customers
