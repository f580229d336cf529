#pragma once

#include <string_view>

#include "platform/result/result.h"
#include "services/customers/src/domain/identity.h"

namespace customers {

// A token that another service asked about, and what that service says of the request that it came
// with; any bytes.
struct AskedToken {
  std::string_view authorization;
  std::string_view request_id;
  std::string_view traceparent;
};

// Logs a verdict under the ids of the request that it was asked for, so that one id finds the lines
// of both services. A refusal is worth a line in production (kInfo): it is rare, and the asking
// service's own line does not tell the reason. A valid token is not (kDebug): it says no more than
// that line does, and there is one for each request of another service. No line for an empty
// authorization: that is how services see whether we answer, every second.
void LogVerdict(const AskedToken& asked, const platform::Result<Identity>& verdict);

}  // namespace customers
