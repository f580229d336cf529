#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "platform/grpc/tls.h"

namespace grpc {
class Server;
class Service;
namespace experimental {
class ExternalConnectionAcceptor;
}
}  // namespace grpc

namespace platform::grpc {

namespace internal {
class ConnectionAcceptor;
}

struct ServerOptions {
  std::string address = "127.0.0.1";  // An IP address.
  std::uint16_t port = 0;             // 0 takes any free port.
  TlsFiles tls;
  // Clients whose certificate has another name are refused during the handshake. If this is empty,
  // every client of the authority is served.
  std::vector<std::string> client_names;
  // A larger message, in either direction, ends its call with RESOURCE_EXHAUSTED.
  std::size_t max_message_bytes = std::size_t{1} << 20;
  // Maximum number of open calls on one connection; a client holds further ones back.
  int max_concurrent_streams = 1024;
  // A connection of this age, give or take a tenth, takes no further calls. Its client opens
  // another one, for which it resolves our name again, so new replicas get their share. Calls that
  // are still open after the grace are cut.
  std::chrono::milliseconds max_connection_age{30'000};
  std::chrono::milliseconds max_connection_age_grace{10'000};
  // A connection that has not finished its TLS handshake by then is closed.
  std::chrono::milliseconds handshake_timeout{2000};
  // Maximum number of connections, before their handshake too, of all clients and of one address.
  // Further ones are closed at once.
  std::size_t max_connections = 1024;
  std::size_t max_connections_per_client = 256;
};

// A gRPC server that answers only clients whose certificate our authority signed, see also
// `client_names`. It serves the
// standard health service (grpc.health.v1.Health) beside the given ones. It runs on gRPC's own few
// threads, so services must use the callback API and never block.
//
// Not thread-safe, except SetServing().
class Server {
 public:
  explicit Server(ServerOptions options);
  // Ends calls that are still open, at once.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Listens and serves. `services` must not be empty and must outlive the server. Returns the port,
  // or a sentence for the operator that describes the fault and names the address and port, or the
  // file. Call it once.
  std::expected<std::uint16_t, std::string> Start(std::span<::grpc::Service* const> services);

  // Sets the answer of the health service. A started server is serving. Any thread.
  void SetServing(bool serving);

  // Accepts no more connections and calls, lets open calls finish for `grace`, cancels the others,
  // and returns when all have ended. Every service must finish a cancelled call. This blocks, so do
  // not call it on an event loop that these calls need. Does nothing if the server is not running.
  void Shutdown(std::chrono::milliseconds grace);

 private:
  ServerOptions options_;
  std::unique_ptr<::grpc::experimental::ExternalConnectionAcceptor> hand_over_;
  std::unique_ptr<::grpc::Server> server_;
  std::unique_ptr<internal::ConnectionAcceptor> acceptor_;
};

}  // namespace platform::grpc
