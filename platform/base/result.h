#pragma once

#include <chrono>
#include <expected>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace platform {

// The kind of a failure that a client can receive, independent of the transport. platform/http maps
// each to a status.
enum class ErrorCode {
  kInvalidArgument,       // Well-formed, but not acceptable now: wrong password, taken email.
  kUnprocessable,         // Violates the request's schema; see `fields`.
  kUnauthenticated,       // No usable credentials.
  kPermissionDenied,      // Known caller, not allowed.
  kNotFound,              // No such object or path.
  kConflict,              // Would violate a rule about several objects in their present state.
  kPreconditionFailed,    // The object is not in the state that the client named.
  kPreconditionRequired,  // The client must name the object's state.
  kTooManyRequests,       // Throttled for the time in `retry_after`.
  kUnavailable,           // A dependency is away or too busy; the request may be repeated.
  kInternal,              // A bug. Details are in the log, never on the wire.
};

// Messages per field, as the wire's `fields` object.
using FieldErrors = std::map<std::string, std::vector<std::string>, std::less<>>;

// An expected failure, as a value. Its texts are shown to the client, so never put a secret, an
// address or SQL into them.
struct Error {
  ErrorCode code = ErrorCode::kInternal;
  // The reason on the wire; empty means the standard phrase of the code.
  std::string reason;
  // Empty except for validation failures.
  FieldErrors fields;
  // Time until the request may be repeated, for kTooManyRequests and kUnavailable.
  std::optional<std::chrono::seconds> retry_after;

  static Error NotFound() { return {.code = ErrorCode::kNotFound}; }
  static Error PermissionDenied(
      std::string reason = "You do not have permission to perform this action.") {
    return {.code = ErrorCode::kPermissionDenied, .reason = std::move(reason)};
  }
  // A dependency is away or overloaded; repeat the request after `retry_after`.
  static Error Unavailable(std::chrono::seconds retry_after = std::chrono::seconds{1}) {
    return {.code = ErrorCode::kUnavailable, .retry_after = retry_after};
  }
  static Error Internal() { return {}; }
  // One message for one field. `code` is kInvalidArgument (400), kConflict (409) or kUnprocessable
  // (422).
  static Error Field(ErrorCode code, std::string_view field, std::string_view message) {
    Error error{.code = code};
    error.fields[std::string(field)].emplace_back(message);
    return error;
  }
};

template <class T>
using Result = std::expected<T, Error>;

}  // namespace platform

// Both macros evaluate `expression`, a std::expected, once, inside of a coroutine. If it holds an
// error, they return that error from the coroutine, whose result must be constructible from it.
//
//   ASSIGN_OR_CO_RETURN(const User user, co_await app.users.Find(id));
//   CO_RETURN_IF_ERROR(co_await app.users.Delete(user.id));
//
// ASSIGN_OR_CO_RETURN moves the value into `declaration`, which is the left side of an
// initialization or of an assignment. It expands to several statements, so an `if` around it needs
// braces. Code that handles an error itself needs neither macro.
#define ASSIGN_OR_CO_RETURN(declaration, ...) \
  PLATFORM_ASSIGN_OR_CO_RETURN(PLATFORM_CONCATENATE(result_, __LINE__), declaration, __VA_ARGS__)

#define CO_RETURN_IF_ERROR(...)                               \
  do {                                                        \
    if (auto&& outcome_ = (__VA_ARGS__); !outcome_) {         \
      co_return std::unexpected(std::move(outcome_).error()); \
    }                                                         \
  } while (false)

#define PLATFORM_ASSIGN_OR_CO_RETURN(result, declaration, ...)       \
  auto result = (__VA_ARGS__);                                       \
  if (!result) co_return std::unexpected(std::move(result).error()); \
  declaration = *std::move(result)
#define PLATFORM_CONCATENATE(left, right) PLATFORM_CONCATENATE_EXPANDED(left, right)
#define PLATFORM_CONCATENATE_EXPANDED(left, right) left##right
