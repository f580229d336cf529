#pragma once

#include <sys/types.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <cstddef>
#include <functional>
#include <thread>
#include <vector>

namespace platform::grpc::internal {

// Accepts the connections of a gRPC server and hands them over before their TLS handshake, because
// gRPC 1.51 has no limit on connections. Beyond the limits, a connection is closed at once. Runs on
// a thread of its own.
class ConnectionAcceptor {
 public:
  struct Limits {
    std::size_t connections;
    std::size_t connections_per_client;  // Maximum from one address.
  };
  // Takes over the descriptor of a connection. Called on the acceptor's thread.
  using HandOver = std::function<void(int listener, int connection)>;

  // Listens, but accepts nothing before Start(). Throws boost::system::system_error if it cannot
  // listen.
  ConnectionAcceptor(const boost::asio::ip::tcp::endpoint& endpoint, Limits limits);
  // Accepts no more connections. Those that were handed over stay.
  ~ConnectionAcceptor();
  ConnectionAcceptor(const ConnectionAcceptor&) = delete;
  ConnectionAcceptor& operator=(const ConnectionAcceptor&) = delete;

  std::uint16_t port() const { return acceptor_.local_endpoint().port(); }

  // Call it once.
  void Start(HandOver hand_over);

 private:
  using Clock = std::chrono::steady_clock;

  // A connection that was handed over. gRPC does not report its end, but then its descriptor is
  // closed, or stands for another file.
  struct Open {
    int descriptor;
    ino_t inode;
    boost::asio::ip::address client;
  };

  void Accept();
  // Returns whether the limits permit another connection of this client.
  bool HasRoom(const boost::asio::ip::address& client);
  void ForgetClosed();

  const Limits limits_;
  HandOver hand_over_;
  boost::asio::io_context loop_{/*concurrency_hint=*/1};
  boost::asio::ip::tcp::acceptor acceptor_{loop_};
  std::vector<Open> open_;
  Clock::time_point last_check_;  // Latest check for closed connections.
  std::thread thread_;
};

}  // namespace platform::grpc::internal
