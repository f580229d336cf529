#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "platform/base/task.h"
#include "platform/http/client_address.h"
#include "platform/http/client_connections.h"
#include "platform/http/cors.h"
#include "platform/http/memory_budget.h"
#include "platform/http/message.h"

namespace platform::trace {
class Tracer;
}  // namespace platform::trace

namespace platform::http {

// Limits on the resources that clients use. The defaults are the documented limits.
struct Limits {
  std::size_t head_bytes = 16UZ * 1024;
  std::size_t body_bytes = 64UZ * 1024;
  // Open connections of one server. The one that has waited longest for a request makes room for
  // another; if none waits, a few more are accepted for health checks alone.
  std::size_t connections = 10'000;
  std::size_t requests_per_connection = 1'000'000;  // Then it is closed after the last answer.
  std::chrono::milliseconds head_timeout{10'000};   // From a head's first byte to its last.
  std::chrono::milliseconds body_timeout{30'000};
  std::chrono::milliseconds idle_timeout{60'000};
  std::chrono::milliseconds write_timeout{30'000};
};

class ServerMetrics;

struct ServerOptions {
  Limits limits;
  // Limits the connections of each client but trusted proxies; null for no limit.
  std::shared_ptr<ClientConnections> clients;
  // Limits the memory of requests and answers; null for no limit. While it is used up, a request
  // that needs more of it is answered with 503, and the connections that have kept theirs for
  // longest are closed. A connection with up to 2 KiB uses none of it.
  std::shared_ptr<MemoryBudget> memory;
  // The paths of health checks.
  std::vector<std::string> health_paths;
  TrustedProxies trusted_proxies;
  CorsPolicy cors;
  // Records the spans of requests, except health checks; null for none. It must outlive the server.
  trace::Tracer* tracer = nullptr;
};

// Answers one request. Called on the server's event loop; must not throw.
using Handler = std::function<Task<Response>(const Request&)>;

// A listening TCP socket, not yet served.
class Listener {
 public:
  // Opens `count` sockets on one port, one for each worker. The kernel spreads connections over
  // them (SO_REUSEPORT). Port 0 takes any free port. Fails also if another process listens on the
  // port. The error names the address, the port and the reason.
  static std::expected<std::vector<Listener>, std::string> Open(const std::string& address,
                                                                std::uint16_t port,
                                                                std::size_t count);
  Listener(Listener&& other) noexcept : socket_(std::exchange(other.socket_, -1)) {}
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  Listener& operator=(Listener&&) = delete;
  ~Listener();

  std::uint16_t port() const;
  // Returns the descriptor, which the caller then owns.
  int Release() { return std::exchange(socket_, -1); }

 private:
  explicit Listener(int socket) : socket_(socket) {}
  int socket_;
};

// An HTTP/1.1 server (RFC 9112) on one event loop, with keep-alive, pipelining, limits and
// deadlines. It is an origin server: a target that is not a path, such as `*` or a whole URL, is a
// bad request.
//
// While hundreds of requests are in progress, a connection that is answered with 503 is not read
// for one second, the next time for two, then for four, so that clients that do not wait cannot
// crowd out the others. Connections of trusted proxies are exempt.
//
// Construct, stop and destroy it on the loop's thread, or while the loop does not run.
class Server {
 public:
  // `metrics` may be null; otherwise they must outlive the event loop's last task.
  Server(const boost::asio::any_io_executor& executor, Listener listener, Handler handler,
         ServerOptions options = {}, ServerMetrics* metrics = nullptr);
  // Cuts all connections. A request in progress keeps its copy of the handler until its task ends
  // or is destroyed with the loop. Objects to which that copy refers must live until then.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Accepts no new connections, and on each open connection at most one more request within a
  // second. Returns when all requests in progress have been answered; cuts them when `grace` is
  // over. Call it once.
  Task<void> Stop(std::chrono::milliseconds grace);

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace platform::http
