#pragma once

#include <string_view>

#include "platform/base/result.h"
#include "services/customers/src/domain/identity.h"

namespace customers {

// A token that another service asked about, with the ids of the request that carried it. All may
// hold any bytes. `traceparent` names the caller's span, or the validation's own if it is recorded.
struct AskedToken {
  std::string_view authorization;
  std::string_view request_id;
  std::string_view traceparent;
};

// Logs a verdict under the ids of the request that carried the token, so that one id finds the
// lines of both services. A refusal is logged at kInfo, because it is rare and the other service's
// own line does not contain the reason. A valid token is logged at kDebug, because it adds nothing
// to that line and occurs with each request of another service. An empty authorization is not
// logged, because other services send one every second to check that we answer.
void LogVerdict(const AskedToken& asked, const platform::Result<Identity>& verdict);

}  // namespace customers
