#pragma once

#include <cstddef>
#include <expected>
#include <optional>
#include <span>
#include <string_view>

#include "platform/http/message.h"

namespace platform::http {

// Finds the end of a request's head (request line and header fields) in bytes that arrive piece by
// piece. It rejects early what a lenient parser would accept: a bare LF, a NUL, or a folded header
// line (RFC 9112 sections 2.2 and 5.2).
class HeadScanner {
 public:
  enum class State { kIncomplete, kComplete, kMalformed };

  // `bytes` is everything received so far; bytes that were scanned before are not scanned again.
  State Scan(std::string_view bytes);
  // Size of the head with its closing empty line, once it is complete.
  std::size_t size() const { return size_; }
  void Reset() { *this = {}; }

 private:
  std::size_t scanned_ = 0;     // Every line before this offset is good.
  std::size_t line_start_ = 0;  // Start of the line being scanned.
  std::size_t size_ = 0;
};

// The received request, or the status with which to refuse it.
template <class T>
using OrStatus = std::expected<T, ErrorStatus>;

// Returns whether a request's target is a path with an optional query (RFC 9112 section 3.2.1). A
// server receives no other form, except as a forward proxy. A path is visible ASCII. A query may
// hold other bytes than ASCII, because some clients send text there without encoding it.
bool IsOriginForm(std::string_view target);

// Properties of a request that must be known before its body is read.
struct Framing {
  bool keep_alive = true;
  bool expects_continue = false;
};

// Checks the header fields that determine the end and the host of a request: Transfer-Encoding,
// Content-Length, Host, Expect (RFC 9112 sections 3.2, 6.1 and 6.3). It is stricter than Beast, so
// that no proxy in front can interpret a request in another way than we do. `version` is 10 or 11.
OrStatus<Framing> CheckFraming(unsigned version, std::span<const HeaderField> headers);

}  // namespace platform::http
