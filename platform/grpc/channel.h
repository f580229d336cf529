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
  // A name or an IP address, for which the server's certificate must be valid. If the name has
  // several addresses, calls are spread over all those that are connected, in turn.
  std::string host;
  std::uint16_t port = 0;
  TlsFiles tls;
  // A larger message, in either direction, ends its call with RESOURCE_EXHAUSTED.
  std::size_t max_message_bytes = std::size_t{1} << 20;
  // How long one attempt to connect may take, TLS handshake included.
  std::chrono::milliseconds connect_timeout{1000};
  // The longest pause between attempts to connect; the first is 100 ms.
  std::chrono::milliseconds max_backoff{500};
  // gRPC's service config (JSON), which defines retries by method. Empty means no retries. One that
  // the DNS offers is never used.
  std::string service_config;
};

// Makes a channel over mutual TLS. It shares its connections with no other channel, so make one for
// each worker. It connects to all addresses of the host when first used, and reconnects by itself.
// It resolves the name again when a connection ends or cannot be made. While all addresses have
// failed, calls fail at once with UNAVAILABLE. MakeChannel itself never fails; call CheckTlsFiles()
// first.
std::shared_ptr<::grpc::Channel> MakeChannel(const ChannelOptions& options);

}  // namespace platform::grpc
