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

  // The value of the only header line of that name, spelled as it is sent; nothing where there is
  // none, or more than one.
  std::optional<std::string> Header(std::string_view name) const;
};

// A client that sends any bytes. Its reads block, and throw when nothing happens for 10 s.
class RawClient {
 public:
  // To a port of 127.0.0.1. Throws where nobody listens. With `receive_buffer`, the kernel takes
  // about so many bytes for us.
  explicit RawClient(std::uint16_t port, int receive_buffer = 0);
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;
  ~RawClient();

  void Send(std::string_view bytes) const;  // Ignores that the server has closed.
  void CloseSending() const;                // The server sees the end of the stream.
  void ResetOnClose() const;                // The destructor will send RST.

  // The next answer; of one to HEAD only the head is read.
  Answer Read(bool is_head = false);
  // Everything until the server closes.
  std::string ReadToEnd();
  // Whether there is something to read, or the end, within `patience`.
  bool Wait(std::chrono::milliseconds patience) const;

  // Sends and reads.
  Answer Ask(std::string_view request, bool is_head = false) {
    Send(request);
    return Read(is_head);
  }

 private:
  bool Receive();  // False at the end.

  int socket_;
  std::string received_;
};

}  // namespace platform::http::testing
