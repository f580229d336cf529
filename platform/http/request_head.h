#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

#include "platform/http/message.h"

namespace platform::http {

// Finds the end of a request's head (request line and header fields) in bytes that arrive piece by
// piece, and refuses early what a lenient parser would take: a bare LF, NUL, or a folded header
// line (RFC 9112 sections 2.2 and 5.2).
class HeadScanner {
 public:
  enum class State { kIncomplete, kComplete, kMalformed };

  // `bytes` is everything received so far; what was scanned before is not scanned again.
  State Scan(std::string_view bytes);
  // Of the head with its closing empty line, once complete.
  std::size_t size() const { return size_; }
  void Reset() { *this = {}; }

 private:
  std::size_t scanned_ = 0;     // Every line before this offset is good.
  std::size_t line_start_ = 0;  // Of the line being scanned.
  std::size_t size_ = 0;
};

// Whether a request's target is a path with an optional query (RFC 9112 section 3.2.1), the only
// form that a server behind at most a reverse proxy is sent. A path is visible ASCII; in a query
// other bytes than ASCII are taken as they are, as some clients send text there without encoding
// it.
bool IsOriginForm(std::string_view target);

// How a request's body is delimited and what must be known before it is read.
struct Framing {
  bool keep_alive = true;
  bool expects_continue = false;
};

// Checks the header fields that decide where a request ends and whom it is for, more strictly than
// Beast does, so that no proxy in front can see another request than we do: Transfer-Encoding,
// Content-Length, Host, Expect (RFC 9112 sections 3.2, 6.1 and 6.3). `version` is 10 or 11.
Result<Framing> CheckFraming(unsigned version, std::span<const HeaderField> headers);

}  // namespace platform::http
