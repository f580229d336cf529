#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <chrono>
#include <expected>
#include <optional>
#include <string>

#include "platform/base/task.h"
#include "platform/trace/tracer.h"

namespace platform::trace {

// An HTTP client for one collector, which posts one body at a time. Belongs to one event loop, and
// outlives its tasks.
class CollectorClient {
 public:
  struct Reply {
    unsigned status = 0;
    std::string body;
    std::optional<std::chrono::seconds> retry_after;
  };

  CollectorClient(boost::asio::any_io_executor executor, const TracerOptions::Collector& collector);

  // Posts a body of JSON, over the connection of the last call if it is still open. Returns the
  // reason if there is no reply within `timeout`.
  Task<std::expected<Reply, std::string>> Post(const std::string& body,
                                               std::chrono::milliseconds timeout);

  // Closes the connection, if one is open.
  void Close();

 private:
  using Tls = boost::asio::ssl::stream<boost::beast::tcp_stream&>;

  using Deadline = std::chrono::steady_clock::time_point;

  Task<std::expected<void, std::string>> Connect(Deadline deadline);
  template <class Stream>
  Task<std::expected<Reply, std::string>> Exchange(Stream& stream, const std::string& body);

  const boost::asio::any_io_executor executor_;
  const TracerOptions::Collector& collector_;
  const std::string authority_;  // For the header Host.
  boost::asio::ssl::context tls_context_;
  boost::asio::ip::tcp::resolver resolver_{executor_};
  std::optional<boost::beast::tcp_stream> stream_;  // The connection, if one is open.
  std::optional<Tls> tls_;                          // Over the connection, if it has TLS.
  boost::beast::flat_buffer buffer_;
};

}  // namespace platform::trace
