#include "platform/postgres/query_error.h"

#include <algorithm>
#include <array>

#include "platform/log/log.h"

namespace platform::postgres {

namespace {

// Returns whether the same statement may succeed a moment later.
bool IsTransient(std::string_view sqlstate) {
  // Connection failures, lack of resources, operator intervention (timeouts, shutdowns).
  constexpr std::array<std::string_view, 3> kClasses{"08", "53", "57"};
  // Serialization failure, deadlock, lock not available, read-only (a standby before promotion).
  constexpr std::array<std::string_view, 4> kStates{"40001", "40P01", "55P03", "25006"};
  return std::ranges::find(kClasses, sqlstate.substr(0, 2)) != kClasses.end() ||
         std::ranges::find(kStates, sqlstate) != kStates.end();
}

}  // namespace

std::string_view TypeOf(const QueryError& error) {
  switch (error.kind) {
    case QueryError::Kind::kRejected:
      return error.sqlstate;
    case QueryError::Kind::kUnavailable:
      return "unavailable";
    case QueryError::Kind::kTimeout:
      return "timeout";
    case QueryError::Kind::kOverloaded:
      return "overloaded";
  }
  return "";
}

Error Logged(const QueryError& error) {
  if (error.kind != QueryError::Kind::kRejected || IsTransient(error.sqlstate)) {
    return Error::Unavailable();
  }
  log::Error(
      "statement failed",
      {{"statement", error.statement}, {"sqlstate", error.sqlstate}, {"error", error.message}});
  return Error::Internal();
}

Result<void> OrNotFound(std::expected<std::size_t, QueryError> changed) {
  if (!changed) return std::unexpected(Logged(changed.error()));
  if (*changed == 0) return std::unexpected(Error::NotFound());
  return {};
}

}  // namespace platform::postgres
