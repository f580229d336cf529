#pragma once

#include <cstddef>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "platform/base/result.h"

namespace platform::postgres {

// Why a statement failed.
struct QueryError {
  enum class Kind {
    kRejected,     // The server refused the statement: see sqlstate and constraint.
    kUnavailable,  // No connection, or it died before the answer, or the server has stopped to wait
                   // for its synchronous standby. A write may or may not be done, or be lost later.
    kTimeout,      // No answer within the deadline. A write may or may not be done.
    kOverloaded,   // Too many statements are waiting already; nothing was sent.
  };
  Kind kind = Kind::kUnavailable;
  std::string_view statement;  // Its name, if the server refused it.
  std::string sqlstate;        // Five characters (PostgreSQL, appendix A); empty unless kRejected.
  std::string constraint;      // The violated constraint's name, if the server named one.
  // The rest of a message that the server's functions raise for the caller. Never for the log,
  // because the server's own details contain the values of rows.
  std::string detail;
  std::string message;  // For the log only.

  bool Violates(std::string_view constraint_name) const { return constraint == constraint_name; }
};

// Returns the SQLSTATE of an error, or the name of its kind if the server did not refuse the
// statement.
std::string_view TypeOf(const QueryError& error);

// Returns the error for the client if the caller has no better one: kInternal for a statement that
// the server rejected, except for the server's own cancellations, shutdowns, deadlocks and resource
// shortages; otherwise kUnavailable with a Retry-After. Logs an error that becomes kInternal.
Error Logged(const QueryError& error);

// Returns the answer of a statement, or its error as above.
template <class T>
Result<T> Logged(std::expected<T, QueryError> answer) {
  if (!answer) return std::unexpected(Logged(answer.error()));
  return *std::move(answer);
}

// Like Logged, for statements that look for something: an answer without rows is kNotFound.
template <class Row>
Result<Row> OrNotFound(std::expected<std::optional<Row>, QueryError> row) {
  if (!row) return std::unexpected(Logged(row.error()));
  if (!*row) return std::unexpected(Error::NotFound());
  return **std::move(row);
}

template <class Row>
Result<std::vector<Row>> OrNotFound(std::expected<std::vector<Row>, QueryError> rows) {
  if (!rows) return std::unexpected(Logged(rows.error()));
  if (rows->empty()) return std::unexpected(Error::NotFound());
  return *std::move(rows);
}

// For Client::Execute: kNotFound if no row was changed.
Result<void> OrNotFound(std::expected<std::size_t, QueryError> changed);

}  // namespace platform::postgres
