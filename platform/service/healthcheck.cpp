#include "platform/service/healthcheck.h"

#include <fmt/format.h>

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>

namespace platform::service {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;

// Returns the address at which a server that listens on `address` is reached from its own machine.
asio::ip::address Reachable(const asio::ip::address& address) {
  if (!address.is_unspecified()) return address;
  if (address.is_v6()) return asio::ip::address_v6::loopback();
  return asio::ip::address_v4::loopback();
}

}  // namespace

std::expected<void, std::string> AskReadiness(const std::string& address, std::uint16_t port,
                                              std::chrono::milliseconds timeout) {
  asio::io_context loop;
  boost::beast::tcp_stream stream(loop);
  boost::beast::flat_buffer buffer;
  http::request<http::empty_body> request(http::verb::get, "/readyz", 11);
  http::response<http::string_body> response;
  boost::system::error_code failure;

  const auto listening = asio::ip::make_address(address, failure);
  if (failure) {
    return std::unexpected(fmt::format("\"{}\" is not an IP address", address));
  }
  stream.expires_after(timeout);
  const asio::ip::tcp::endpoint endpoint(Reachable(listening), port);
  request.set(http::field::host, "localhost");
  stream.async_connect(endpoint, [&](boost::system::error_code error) {
    if (failure = error; error) return;
    http::async_write(stream, request, [&](boost::system::error_code write_error, std::size_t) {
      if (failure = write_error; write_error) return;
      http::async_read(
          stream, buffer, response,
          [&](boost::system::error_code read_error, std::size_t) { failure = read_error; });
    });
  });
  loop.run();
  if (failure) {
    return std::unexpected(fmt::format("no answer from port {}: {}", port, failure.message()));
  }
  if (response.result() != http::status::ok) {
    return std::unexpected(fmt::format("not ready: {} {}", response.result_int(), response.body()));
  }
  return {};
}

}  // namespace platform::service
