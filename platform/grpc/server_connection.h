#pragma once

#include <boost/asio/ssl/context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "platform/grpc/connection.h"
#include "platform/grpc/server_call.h"

namespace platform::grpc::internal {

// A server's end of a connection.
class ServerConnection final : public Connection {
 public:
  struct Options {
    std::size_t worker;
    std::size_t max_message_bytes;
    // Serves a call whose headers have arrived.
    std::function<void(const std::shared_ptr<ServerCall>& call)> serve;
  };

  // `context` is that of the stream, which refers to it.
  ServerConnection(std::shared_ptr<boost::asio::ssl::context> context, TlsStream stream,
                   const ConnectionOptions& options, std::shared_ptr<ReceiveBudget> budget,
                   Options server_options);

  using Connection::tls;

  // Ends the connection when its calls have ended, because the server shuts down.
  void Drain();

  // Lets it take no further calls from this age on, and cuts it after the grace.
  void LimitAge(std::chrono::milliseconds age, std::chrono::milliseconds grace);

 private:
  friend class platform::grpc::ServerCall;

  void OnNewStream(std::int32_t id) override;
  // Has the call served, or ends it.
  void OnCall(ServerCall& call);
  void WatchDeadlines();

  const std::shared_ptr<boost::asio::ssl::context> context_;
  const Options options_;
  boost::asio::steady_timer deadline_timer_;
  boost::asio::steady_timer age_timer_;
  bool is_watching_deadlines_ = false;
  bool is_draining_ = false;
};

}  // namespace platform::grpc::internal
