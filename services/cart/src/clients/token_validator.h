#pragma once

#include <string_view>

#include "platform/result/result.h"
#include "platform/runtime/task.h"
#include "services/cart/src/domain/caller.h"

namespace cart {

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
  // when customers does not tell, within a deadline.
  virtual platform::Task<platform::Result<Caller>> Validate(std::string_view authorization,
                                                            Origin origin) = 0;

  // Whether customers can be asked: it is, within a second.
  virtual platform::Task<bool> IsReachable() = 0;
};

// Whether the value of an Authorization header is worth a question: not empty, ASCII (UserAuth's
// string must be UTF-8, a header need not be) and at most 64 KiB. The answer to any other is
// kInvalidHeader.
bool MayBeAuthorization(std::string_view authorization);

inline constexpr const char* kInvalidHeader = "Invalid authorization header";

}  // namespace cart
