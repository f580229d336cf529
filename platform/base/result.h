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

// What went wrong for a client, whatever the transport. platform/http has the table of its
// statuses.
enum class ErrorCode {
  kInvalidArgument,  // Understood, but not acceptable as things stand: wrong password, taken email.
  kUnprocessable,    // Breaks the request's schema; `fields` says where.
  kUnauthenticated,  // No usable credentials.
  kPermissionDenied,  // Known caller, not allowed.
  kNotFound,          // No such object or path.
  kTooManyRequests,   // Throttled; `retry_after` says for how long.
  kUnavailable,       // Something we depend on is away or too busy; the request may be repeated.
  kInternal,          // A fault of ours. Details are in the log, never on the wire.
};

// Messages per field, as the wire's `fields` object.
using FieldErrors = std::map<std::string, std::vector<std::string>, std::less<>>;

// An expected failure, as a value. Its texts are shown to the client: never put a secret, an
// address or SQL into them.
struct Error {
  ErrorCode code = ErrorCode::kInternal;
  // The wire's reason; empty means the standard phrase of the code.
  std::string reason;
  // Not empty only for validation failures.
  FieldErrors fields;
  // When to try again, for kTooManyRequests and kUnavailable.
  std::optional<std::chrono::seconds> retry_after;

  static Error NotFound() { return {.code = ErrorCode::kNotFound}; }
  static Error PermissionDenied(std::string reason) {
    return {.code = ErrorCode::kPermissionDenied, .reason = std::move(reason)};
  }
  // Away or overloaded, `retry_after` from now.
  static Error Unavailable(std::chrono::seconds retry_after = std::chrono::seconds{1}) {
    return {.code = ErrorCode::kUnavailable, .retry_after = retry_after};
  }
  static Error Internal() { return {}; }
  // One message for one field. `code` is kInvalidArgument (400) or kUnprocessable (422).
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
// initialization or of an assignment. It expands to several statements: give an `if` around it
// braces. Errors that are handled and not returned need neither macro.
#define ASSIGN_OR_CO_RETURN(declaration, ...) \
  PLATFORM_ASSIGN_OR_CO_RETURN(PLATFORM_CONCATENATE(result_, __LINE__), declaration, __VA_ARGS__)

#define CO_RETURN_IF_ERROR(...)                              \
  do {                                                       \
    if (auto&& checked = (__VA_ARGS__); !checked) {          \
      co_return std::unexpected(std::move(checked).error()); \
    }                                                        \
  } while (false)

#define PLATFORM_ASSIGN_OR_CO_RETURN(result, declaration, ...)       \
  auto result = (__VA_ARGS__);                                       \
  if (!result) co_return std::unexpected(std::move(result).error()); \
  declaration = *std::move(result)
#define PLATFORM_CONCATENATE(left, right) PLATFORM_CONCATENATE_EXPANDED(left, right)
#define PLATFORM_CONCATENATE_EXPANDED(left, right) left##right
