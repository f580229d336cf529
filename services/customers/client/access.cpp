#include "services/customers/client/access.h"

namespace customers::client {

platform::Task<platform::Result<Caller>> Authenticate(TokenValidator& validator,
                                                      const platform::http::Request& request) {
  ASSIGN_OR_CO_RETURN(Caller caller,
                      co_await validator.Validate(
                          request.Header("Authorization").value_or(""),
                          {.request_id = request.id, .traceparent = request.trace.traceparent()}));
  request.NoteUser(caller.id);
  co_return caller;
}

platform::http::AccessDescription DescribeAccess() {
  return {.needs_token = true, .errors = {platform::ErrorCode::kPermissionDenied}};
}

}  // namespace customers::client
