#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "platform/result/result.h"
#include "platform/trace/trace_context.h"

namespace platform::http {

enum class Method { kGet, kHead, kPost, kPut, kPatch, kDelete, kOptions, kOther };

// The method's name on the wire, "GET"; kOther has none.
std::string_view Name(Method method);

struct HeaderField {
  std::string_view name;
  std::string_view value;
};

// What is found out while a request is answered, for its line in the access log.
struct AccessNotes {
  std::optional<std::int32_t> user_id;  // Of the token's user, once it is validated.
};

// One received request. All views are valid until the response has been sent.
struct Request {
  Method method = Method::kGet;
  std::string_view path;   // As sent, without the query; not percent-decoded.
  std::string_view query;  // Without the '?'; not percent-decoded.
  std::span<const HeaderField> headers;
  std::string_view body;
  std::string_view id;           // X-Request-ID, the client's or made here.
  std::string_view client;       // Its address, without a port; see TrustedProxies.
  trace::TraceContext trace;     // The span of this request.
  AccessNotes* notes = nullptr;  // Null where nobody reads them.

  // The first header field of that name, whatever its case.
  std::optional<std::string_view> Header(std::string_view name) const;

  void NoteUser(std::int32_t user_id) const {
    if (notes != nullptr) notes->user_id = user_id;
  }
};

struct Response {
  unsigned status = 200;
  std::string body;
  // Sent in place of `body`, unless empty: content that outlives the server, and is not copied.
  std::string_view static_body = {};
  std::string_view content_type = "application/json";
  std::vector<std::pair<std::string_view, std::string>> headers;
  // The route's pattern, for the log; empty where none matched.
  std::string_view route;
  // The route's place in the table, for the metrics.
  std::size_t route_index = kNoRoute;

  std::string_view Content() const { return static_body.empty() ? body : static_body; }

  static constexpr std::size_t kNoRoute = static_cast<std::size_t>(-1);
};

// The wire form of an error (contract: `{"error": {"code", "message", "fields"}}`), with the
// headers that its status demands: Retry-After, WWW-Authenticate.
Response ToResponse(const Error& error);

// The status that an error has on the wire.
unsigned StatusOf(ErrorCode code);

// The code and the standard reason of a status that ToResponse can send: {"not_found", "Not
// Found"}.
struct StatusName {
  std::string_view code;
  std::string_view reason;
};
StatusName NameOf(ErrorCode code);

// The reason phrase of a status line (RFC 9110 section 15).
std::string_view ReasonPhrase(unsigned status);

}  // namespace platform::http
