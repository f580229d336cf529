#include "services/customers/src/store/authorization.h"

namespace customers {

platform::Error AuthorizedError(const platform::postgres::QueryError& error) {
  if (error.Violates("ck__users__actor_has_right")) return platform::Error::PermissionDenied();
  return platform::postgres::Logged(error);
}

}  // namespace customers
