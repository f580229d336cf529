#pragma once

#include <cstdint>
#include <expected>
#include <utility>

#include "platform/base/result.h"
#include "platform/postgres/query_error.h"
#include "services/customers/src/domain/session.h"
#include "services/customers/src/domain/user.h"

namespace customers {

// The user who makes a change, and the token that permits it. The right may be lost while the
// request waits, so the statement that makes the change checks it again, by authorize() of the
// migrations.
struct Actor {
  UserId id;
  std::int32_t token_version = 0;
  SessionId session;  // 0 if the token has none.

  // Makes changes that need no right: registrations and the operator's commands.
  static Actor Nobody() { return {}; }
};

// Returns kPermissionDenied if the actor's right was lost, and other errors like Logged().
platform::Error AuthorizedError(const platform::postgres::QueryError& error);

// Returns the answer of a statement that calls authorize(), or its error as above.
template <class T>
platform::Result<T> Authorized(std::expected<T, platform::postgres::QueryError> answer) {
  if (!answer) return std::unexpected(AuthorizedError(answer.error()));
  return *std::move(answer);
}

}  // namespace customers
