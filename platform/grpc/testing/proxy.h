#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <cstdint>
#include <list>
#include <thread>

namespace platform::grpc::testing {

// Forwards bytes to a port of localhost, and breaks every connection on request.
class Proxy {
 public:
  explicit Proxy(std::uint16_t target);
  ~Proxy();
  Proxy(const Proxy&) = delete;
  Proxy& operator=(const Proxy&) = delete;

  std::uint16_t port() const { return acceptor_.local_endpoint().port(); }

  // Any thread.
  void BreakConnections();

 private:
  boost::asio::awaitable<void> Accept();

  const std::uint16_t target_;
  boost::asio::io_context io_;
  std::list<boost::asio::ip::tcp::socket> sockets_;
  boost::asio::ip::tcp::acceptor acceptor_;
  std::thread thread_;
};

}  // namespace platform::grpc::testing
