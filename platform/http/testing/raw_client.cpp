#include "platform/http/testing/raw_client.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <bit>
#include <cerrno>
#include <charconv>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace platform::http::testing {
namespace {

constexpr timeval kPatience{.tv_sec = 10, .tv_usec = 0};

template <class Value>
void Set(int socket, int option, const Value& value) {
  if (setsockopt(socket, SOL_SOCKET, option, &value, sizeof value) != 0) {
    throw std::system_error(errno, std::generic_category(), "setsockopt");
  }
}

int ToInt(std::string_view digits) {
  int number = -1;
  std::from_chars(digits.data(), digits.data() + digits.size(), number);
  return number;
}

}  // namespace

std::optional<std::string> Answer::Header(std::string_view name) const {
  const std::string start = fmt::format("\r\n{}: ", name);
  const std::size_t line = head.find(start);
  if (line == std::string::npos || head.find(start, line + 1) != std::string::npos) return {};
  const std::size_t value = line + start.size();
  return head.substr(value, head.find("\r\n", value) - value);
}

RawClient::RawClient(std::uint16_t port, int receive_buffer)
    : socket_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  if (receive_buffer > 0) Set(socket_, SO_RCVBUF, receive_buffer);
  Set(socket_, SO_RCVTIMEO, kPatience);
  Set(socket_, SO_SNDTIMEO, kPatience);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const auto bytes = std::bit_cast<sockaddr>(address);
  if (connect(socket_, &bytes, sizeof bytes) != 0) {
    const int reason = errno;
    close(socket_);
    throw std::system_error(reason, std::generic_category(), "connect");
  }
}

RawClient::~RawClient() { close(socket_); }

void RawClient::Send(std::string_view bytes) const {
  while (!bytes.empty()) {
    const ssize_t sent = send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

void RawClient::CloseSending() const { shutdown(socket_, SHUT_WR); }

void RawClient::ResetOnClose() const {
  Set(socket_, SO_LINGER, linger{.l_onoff = 1, .l_linger = 0});
}

bool RawClient::Receive() {
  std::array<char, 65536> bytes{};
  const ssize_t size = recv(socket_, bytes.data(), bytes.size(), 0);
  if (size < 0 && errno == EAGAIN) throw std::runtime_error("the server neither sent nor closed");
  if (size > 0) received_.append(bytes.data(), static_cast<std::size_t>(size));
  return size > 0;
}

Answer RawClient::Read(bool is_head) {
  std::size_t end = 0;
  while ((end = received_.find("\r\n\r\n")) == std::string::npos) {
    if (!Receive()) return {};
  }
  Answer answer{.head = received_.substr(0, end + 2)};
  received_.erase(0, end + 4);
  const auto length = answer.Header("Content-Length");
  if (length && !is_head) {
    const auto size = static_cast<std::size_t>(ToInt(*length));
    while (received_.size() < size) {
      if (!Receive()) return {};
    }
    answer.body = received_.substr(0, size);
    received_.erase(0, size);
  }
  answer.status = ToInt(answer.head.substr(std::string_view("HTTP/1.1 ").size(), 3));
  return answer;
}

std::string RawClient::ReadToEnd() {
  while (Receive()) {
  }
  return std::exchange(received_, {});
}

bool RawClient::Wait(std::chrono::milliseconds patience) const {
  pollfd waited{.fd = socket_, .events = POLLIN, .revents = 0};
  return poll(&waited, 1, static_cast<int>(patience.count())) > 0;
}

}  // namespace platform::http::testing
