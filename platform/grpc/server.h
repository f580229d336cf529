#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <span>
#include <string>

#include "platform/grpc/tls.h"

namespace grpc {
class Server;
class Service;
}  // namespace grpc

namespace platform::grpc {

struct ServerOptions {
  std::string address = "127.0.0.1";  // An IP address.
  std::uint16_t port = 0;             // 0: any free one.
  TlsFiles tls;
  // Larger messages, in either direction, end their call with RESOURCE_EXHAUSTED.
  std::size_t max_message_bytes = std::size_t{1} << 20;
  // Calls open at once on one connection; a client holds further ones back.
  int max_concurrent_streams = 1024;
  // A connection that has not finished its TLS handshake by then is closed.
  std::chrono::milliseconds handshake_timeout{5000};
};

// A gRPC server that answers only clients whose certificate our authority signed, with the standard
// health service (grpc.health.v1.Health) beside the given ones. It runs on gRPC's own few threads:
// services use the callback API and never block.
//
// Not thread-safe, except SetServing().
class Server {
 public:
  explicit Server(ServerOptions options);
  // Ends calls that are still open, at once.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Listens and serves. `services` is not empty, and outlives the server. Returns the port, or what
  // is wrong in a sentence for the operator, which names the address and port, or the file. Call it
  // once.
  std::expected<std::uint16_t, std::string> Start(std::span<::grpc::Service* const> services);

  // What the health service answers. A started server is serving. Any thread.
  void SetServing(bool serving);

  // Accepts no more connections and calls, lets open calls finish for `grace`, cancels the rest,
  // and returns when all have ended: every service must finish a cancelled call. Blocks: not for an
  // event loop that these calls need. Does nothing when not running.
  void Shutdown(std::chrono::milliseconds grace);

 private:
  ServerOptions options_;
  std::unique_ptr<::grpc::Server> server_;
};

}  // namespace platform::grpc
