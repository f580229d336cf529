#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "platform/grpc/tls.h"

namespace grpc {
class Channel;
}  // namespace grpc

namespace platform::grpc {

struct ChannelOptions {
  std::string host;  // A name or an IP address, for which the server's certificate must be valid.
  std::uint16_t port = 0;
  TlsFiles tls;
  // Larger messages, in either direction, end their call with RESOURCE_EXHAUSTED.
  std::size_t max_message_bytes = std::size_t{1} << 20;
  // How long one attempt to connect may take, TLS handshake included.
  std::chrono::milliseconds connect_timeout{1000};
  // The longest pause between attempts to connect; the first is 100 ms.
  std::chrono::milliseconds max_backoff{500};
  // gRPC's service config (JSON): retries by method. Empty: none. One that is asked of the DNS is
  // never used.
  std::string service_config;
};

// A channel over mutual TLS with a connection of its own, shared with no other channel: make one
// for each worker. It connects when first used, connects again by itself for as long as it lives,
// and survives a change of the server's address in the DNS. Calls fail at once with UNAVAILABLE
// while the last attempt to connect has failed. Never fails itself; see CheckTlsFiles().
std::shared_ptr<::grpc::Channel> MakeChannel(const ChannelOptions& options);

}  // namespace platform::grpc
