#pragma once

#include <string_view>

#include "platform/base/result.h"
#include "platform/base/task.h"
#include "platform/telemetry/report.h"
#include "services/customers/client/caller.h"

namespace customers::client {

// On whose behalf a token is validated, for the logs of both services.
struct Origin {
  std::string_view request_id;
  std::string_view traceparent;  // As the header of that name.
};

// Asks customers who a token belongs to. Nothing is remembered between calls, so that a deleted
// user or a changed password counts at once. One for each worker, used on its thread alone; it
// outlives its tasks.
class TokenValidator {
 public:
  virtual ~TokenValidator() = default;

  // `authorization` is the value of the Authorization header, unparsed; it is copied before the
  // task first waits, and empty when there is no header; the origin outlives the task. Errors:
  // kPermissionDenied, with the reason to show to the client, for a refused token; kUnavailable
  // when customers does not tell, within a deadline, or at once when it is asked too much already.
  virtual platform::Task<platform::Result<Caller>> Validate(std::string_view authorization,
                                                            Origin origin) = 0;

  // Whether customers can be asked: it is, within a second, however much it is asked already.
  virtual platform::Task<bool> IsReachable() = 0;

  // What it counts. Any thread.
  virtual void ReportTo(platform::telemetry::Report& report) const = 0;
};

// Why a header is refused that customers is not asked about.
inline constexpr const char* kInvalidHeader = "Invalid authorization header";

}  // namespace customers::client
