#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "platform/base/result.h"
#include "platform/trace/trace_context.h"

namespace platform::http {

enum class Method { kGet, kHead, kPost, kPut, kPatch, kDelete, kOptions, kOther };

// Returns the method's name on the wire, such as "GET"; empty for kOther.
std::string_view Name(Method method);

struct HeaderField {
  std::string_view name;
  std::string_view value;
};

// Facts for the request's line in the access log that are found while it is answered.
struct AccessNotes {
  std::optional<std::int32_t> user_id;  // The token's user, once the token is validated.
};

// A received request. All views are valid until the response has been sent.
struct Request {
  Method method = Method::kGet;
  std::string_view path;   // As sent, without the query; not percent-decoded.
  std::string_view query;  // Without the '?'; not percent-decoded.
  std::span<const HeaderField> headers;
  std::string_view body;
  std::string_view id;           // X-Request-ID: the client's, or a new one.
  std::string_view client;       // The client's address without a port; see TrustedProxies.
  trace::TraceContext trace;     // The span of this request.
  AccessNotes* notes = nullptr;  // Null if they are not needed.

  // Returns the first header field of this name, whatever its case.
  std::optional<std::string_view> Header(std::string_view name) const;

  void NoteUser(std::int32_t user_id) const {
    if (notes != nullptr) notes->user_id = user_id;
  }
};

struct Response {
  unsigned status = 200;
  std::string body;
  // Sent instead of `body`, unless empty. The content must outlive the server; it is not copied.
  std::string_view static_body = {};
  std::string_view content_type = "application/json";
  std::vector<std::pair<std::string_view, std::string>> headers;
  // The route's pattern, for the log; empty if no route matched.
  std::string_view route;
  // The route's place in the table, for the metrics.
  std::size_t route_index = kNoRoute;

  std::string_view Content() const { return static_body.empty() ? body : static_body; }

  static constexpr std::size_t kNoRoute = static_cast<std::size_t>(-1);
};

// The status of an error's answer. The server or the router itself finds the errors whose status no
// ErrorCode leads to.
enum class ErrorStatus : unsigned {
  kBadRequest = 400,
  kUnauthorized = 401,
  kForbidden = 403,
  kNotFound = 404,
  kMethodNotAllowed = 405,  // The path exists, the method does not.
  kRequestTimeout = 408,    // The client did not send its request in time.
  kConflict = 409,
  kPreconditionFailed = 412,
  kPayloadTooLarge = 413,    // The body exceeds its limit.
  kExpectationFailed = 417,  // An Expect header that is not 100-continue.
  kUnprocessableEntity = 422,
  kPreconditionRequired = 428,
  kTooManyRequests = 429,
  kHeaderFieldsTooLarge = 431,  // The request line and headers exceed their limit.
  kInternalServerError = 500,
  kServiceUnavailable = 503,
};

// Returns the HTTP status of an error: the only mapping from errors to HTTP.
ErrorStatus StatusOf(ErrorCode code);

// Returns the wire form of an error, `{"error": {"code", "message", "fields"}}`, with the headers
// that its status requires: Retry-After, WWW-Authenticate.
Response ToResponse(const Error& error);
// The same with the standard reason.
Response ToResponse(ErrorStatus status);

// The code and the standard reason of a status: {"not_found", "Not Found"}.
struct StatusName {
  std::string_view code;
  std::string_view reason;
};
StatusName NameOf(ErrorStatus status);

// Returns the reason phrase of a status line (RFC 9110 section 15).
std::string_view ReasonPhrase(unsigned status);

}  // namespace platform::http
