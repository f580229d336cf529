#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <vector>

#include "platform/grpc/server_call.h"
#include "platform/grpc/tls.h"

namespace platform::grpc {

struct ServerOptions {
  std::string address = "127.0.0.1";  // An IP address.
  std::uint16_t port = 0;             // 0 takes any free port.
  TlsFiles tls;
  // Clients whose certificate has another name are refused. If this is empty, every client of the
  // authority is served.
  std::vector<std::string> client_names;
  // A larger message ends its call with RESOURCE_EXHAUSTED.
  std::size_t max_message_bytes = std::size_t{1} << 20;
  // Maximum size of the messages, of all calls together, that have arrived and that no handler has
  // taken yet. Beyond it, further calls with messages of more than 4 KiB end with
  // RESOURCE_EXHAUSTED.
  std::size_t max_received_bytes = std::size_t{16} << 20;
  // Maximum number of open calls on one connection; a client holds further ones back.
  std::uint32_t max_concurrent_streams = 1024;
  // A connection of this age, give or take a tenth, takes no further calls. Its client opens
  // another one, for which it resolves our name again, so new replicas get their share. Calls that
  // are still open after the grace are cut.
  std::chrono::milliseconds max_connection_age{30'000};
  std::chrono::milliseconds max_connection_age_grace{10'000};
  // A connection that has not finished its TLS handshake by then is closed.
  std::chrono::milliseconds handshake_timeout{2000};
  // A client that is silent for the first time gets a ping, and is disconnected if it stays silent
  // for the second.
  std::chrono::milliseconds keepalive_time{30'000};
  std::chrono::milliseconds keepalive_timeout{10'000};
  // Maximum number of connections, before their handshake too, of all clients and of one address.
  // Further ones are closed at once.
  std::size_t max_connections = 1024;
  std::size_t max_connections_per_client = 256;
};

// A gRPC server that answers only clients whose certificate our authority signed, see also
// `client_names`. It serves the standard health service (grpc.health.v1.Health) beside the given
// methods. Each connection belongs to the worker that had the fewest when it was accepted. All of
// its calls are served there, on the worker's event loop.
//
// Not thread-safe, except SetServing().
class Server {
 public:
  // `workers` are event loops with one thread each. They may still be destroyed when calls are
  // open, which closes the connections. Handlers that wait are then destroyed, too.
  Server(ServerOptions options, std::vector<boost::asio::any_io_executor> workers);
  // A server that is not shut down goes on for as long as its workers.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Listens and serves. Returns the port, or a sentence for the operator that describes the fault
  // and names the address and port, or the file. Call it once.
  std::expected<std::uint16_t, std::string> Start(std::vector<Method> methods);

  // Sets the answer of the health service. A started server is serving. Any thread; the workers
  // exist.
  void SetServing(bool serving);

  // Accepts no more connections and calls, lets open calls finish for `grace`, closes all
  // connections, and returns. Blocks, so do not call it on a worker's thread. The workers must run
  // until it returns. Does nothing if the server is not running.
  void Shutdown(std::chrono::milliseconds grace);

 private:
  class Impl;

  const ServerOptions options_;
  const std::vector<boost::asio::any_io_executor> workers_;
  std::shared_ptr<Impl> impl_;  // Null unless the server is running.
};

}  // namespace platform::grpc
