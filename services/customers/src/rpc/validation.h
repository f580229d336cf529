#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <functional>
#include <string_view>
#include <vector>

#include "platform/result/result.h"
#include "platform/runtime/task.h"
#include "services/customers/src/domain/identity.h"

namespace customers {

// Tells whose tokens these are: one verdict for each, in their order. An authorization is the value
// of an Authorization header, unparsed; the texts outlive the task. A refused token is
// kUnauthenticated or kPermissionDenied with a reason.
using ValidateTokens = std::function<platform::Task<std::vector<platform::Result<Identity>>>(
    std::vector<std::string_view> authorizations)>;

// One worker: where its validations run, and how.
struct ValidationWorker {
  boost::asio::any_io_executor executor;
  ValidateTokens validate;
};

// Whether this is the answer that the token is refused, and not a failure to answer.
inline bool IsRefusal(const platform::Error& error) {
  return error.code == platform::ErrorCode::kUnauthenticated ||
         error.code == platform::ErrorCode::kPermissionDenied;
}

}  // namespace customers
