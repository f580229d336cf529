#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "platform/result/result.h"

namespace platform::postgres {

// Why a statement gave no rows.
struct QueryError {
  enum class Kind {
    kRejected,     // The server refused the statement: see sqlstate and constraint.
    kUnavailable,  // No connection, or it died before the answer. A write may or may not be done.
    kTimeout,      // No answer within the deadline. A write may or may not be done.
    kOverloaded,   // Too many statements are waiting already; nothing was sent.
  };
  Kind kind = Kind::kUnavailable;
  std::string_view statement;  // Its name, where the server refused it.
  std::string sqlstate;        // Five characters (PostgreSQL, appendix A); empty unless kRejected.
  std::string constraint;      // The violated constraint's name, where the server named one.
  std::string message;         // For the log only.

  bool Violates(std::string_view constraint_name) const { return constraint == constraint_name; }

  // What a client is told where the caller knows nothing better: kUnavailable with a Retry-After,
  // or kInternal for a statement the server refused (except its own cancellations, shutdowns,
  // deadlocks and resource shortages, which are kUnavailable). What becomes kInternal is logged.
  // Implicit, so that it may be returned where a Result is.
  operator Error() const;  // NOLINT(google-explicit-constructor)
};

// The row of a statement, or kNotFound where it gave none.
template <class Row>
Result<Row> OrNotFound(std::expected<std::optional<Row>, QueryError> row) {
  if (!row) return std::unexpected(std::move(row).error());
  if (!*row) return std::unexpected(Error::NotFound());
  return **std::move(row);
}

}  // namespace platform::postgres
