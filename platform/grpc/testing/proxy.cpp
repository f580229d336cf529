#include "platform/grpc/testing/proxy.h"

#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/asio/write.hpp>

namespace platform::grpc::testing {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

asio::awaitable<void> Pass(tcp::socket& from, tcp::socket& to) try {
  std::array<char, 65536> buffer{};
  for (;;) {
    const std::size_t count =
        co_await from.async_read_some(asio::buffer(buffer), asio::use_awaitable);
    co_await asio::async_write(to, asio::buffer(buffer, count), asio::use_awaitable);
  }
} catch (const boost::system::system_error&) {
  boost::system::error_code ignored;
  to.close(ignored);
}

}  // namespace

Proxy::Proxy(std::uint16_t target)
    : target_(target), acceptor_(io_, {asio::ip::address_v4::loopback(), 0}) {
  asio::co_spawn(io_, Accept(), asio::detached);
  thread_ = std::thread([this] { io_.run(); });
}

Proxy::~Proxy() {
  io_.stop();
  thread_.join();
}

void Proxy::BreakConnections() {
  asio::post(io_, asio::use_future([this] {
               for (tcp::socket& socket : sockets_) {
                 boost::system::error_code ignored;
                 socket.close(ignored);
               }
             }))
      .get();
}

asio::awaitable<void> Proxy::Accept() {
  for (;;) {
    tcp::socket& client =
        sockets_.emplace_back(co_await acceptor_.async_accept(asio::use_awaitable));
    tcp::socket& server = sockets_.emplace_back(io_);
    const tcp::endpoint target(asio::ip::address_v4::loopback(), target_);
    boost::system::error_code error;
    co_await server.async_connect(target, asio::redirect_error(asio::use_awaitable, error));
    if (error) {
      client.close(error);
      continue;
    }
    asio::co_spawn(io_, Pass(client, server), asio::detached);
    asio::co_spawn(io_, Pass(server, client), asio::detached);
  }
}

}  // namespace platform::grpc::testing
