#include <fmt/format.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include "platform/http/server.h"

namespace platform::http {
namespace {

using boost::asio::ip::tcp;
using ReusePort = boost::asio::detail::socket_option::boolean<SOL_SOCKET, SO_REUSEPORT>;
using UnsentLowWater = boost::asio::detail::socket_option::integer<IPPROTO_TCP, TCP_NOTSENT_LOWAT>;

constexpr int kBacklog = 4096;
// Memory of the kernel for data of one connection that the client has sent and the server has not
// read, or that the server has sent and the client does not take. By itself the kernel would use
// up to megabytes of each. It doubles the first number, for its own overhead.
constexpr int kUnreadBytes = 16 * 1024;
constexpr int kUnsentBytes = 16 * 1024;

// Binds `acceptor`. If `shared`, other sockets may share the port.
void Bind(tcp::acceptor& acceptor, const tcp::endpoint& endpoint, bool shared) {
  acceptor.open(endpoint.protocol());
  acceptor.set_option(tcp::acceptor::reuse_address(true));
  if (shared) acceptor.set_option(ReusePort(true));
  acceptor.bind(endpoint);
}

}  // namespace

std::expected<std::vector<Listener>, std::string> Listener::Open(const std::string& address,
                                                                 std::uint16_t port,
                                                                 std::size_t count) {
  boost::asio::io_context context;
  try {
    tcp::endpoint endpoint(boost::asio::ip::make_address(address), port);
    // Another process that shares its port would share ours unnoticed, so an exclusive bind checks
    // that the port is free.
    if (port != 0) {
      tcp::acceptor probe(context);
      Bind(probe, endpoint, /*shared=*/false);
    }
    std::vector<Listener> listeners;
    while (listeners.size() < count) {
      tcp::acceptor acceptor(context);
      Bind(acceptor, endpoint, /*shared=*/true);
      // Accepted connections inherit these.
      acceptor.set_option(tcp::acceptor::receive_buffer_size(kUnreadBytes));
      acceptor.set_option(UnsentLowWater(kUnsentBytes));
      acceptor.listen(kBacklog);
      endpoint = acceptor.local_endpoint();
      listeners.push_back(Listener(acceptor.release()));
    }
    return listeners;
  } catch (const boost::system::system_error& error) {
    return std::unexpected(
        fmt::format("cannot listen on {} port {}: {}", address, port, error.code().message()));
  }
}

Listener::~Listener() {
  if (socket_ != -1) close(socket_);
}

std::uint16_t Listener::port() const {
  tcp::endpoint endpoint;
  auto size = static_cast<socklen_t>(endpoint.capacity());
  getsockname(socket_, endpoint.data(), &size);
  return endpoint.port();
}

}  // namespace platform::http
