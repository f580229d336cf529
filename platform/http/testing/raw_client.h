#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace platform::http::testing {

// An answer as it was on the wire.
struct Answer {
  int status = 0;    // 0 if the connection ended before a whole answer.
  std::string head;  // The status line and the header lines, each with its CRLF.
  std::string body;

  // Returns the value of the only header line of this name, spelled as it is sent; nothing if there
  // is no such line or more than one.
  std::optional<std::string> Header(std::string_view name) const;
};

// A client that sends arbitrary bytes. Its reads block, and throw if nothing happens for 10 s.
class RawClient {
 public:
  // Connects to a port of 127.0.0.1. Throws if nothing listens there. With `receive_buffer`, the
  // kernel buffers about this many received bytes.
  explicit RawClient(std::uint16_t port, int receive_buffer = 0);
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;
  ~RawClient();

  void Send(std::string_view bytes) const;  // Succeeds also if the server has closed.
  void CloseSending() const;                // The server sees the end of the stream.
  void ResetOnClose() const;                // The destructor will send RST.

  // Returns the next answer. Reads only the head of an answer to HEAD.
  Answer Read(bool is_head = false);
  // Returns everything until the server closes.
  std::string ReadToEnd();
  // Returns whether there is something to read, or the end, within `patience`.
  bool Wait(std::chrono::milliseconds patience) const;

  // Sends a request and returns the answer.
  Answer Ask(std::string_view request, bool is_head = false) {
    Send(request);
    return Read(is_head);
  }

 private:
  bool Receive();  // Returns false at the end.

  int socket_;
  std::string received_;
};

}  // namespace platform::http::testing
