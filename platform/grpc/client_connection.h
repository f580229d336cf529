#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/system/error_code.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "platform/grpc/client_call.h"
#include "platform/grpc/connection.h"

namespace platform::grpc::internal {

// A client's end of a connection.
class ClientConnection final : public Connection {
 public:
  // `context` is that of the stream, which refers to it. `host` is the name or the IP address for
  // which the server's certificate must be valid.
  ClientConnection(std::shared_ptr<boost::asio::ssl::context> context, TlsStream stream,
                   const ConnectionOptions& options, std::shared_ptr<ReceiveBudget> budget,
                   std::string host);

  // Connects, within this time.
  Task<boost::system::error_code> Connect(boost::asio::ip::tcp::endpoint endpoint,
                                          std::chrono::milliseconds timeout);

  // Sets what is called at each change of the state; it must not resume a coroutine.
  void OnChange(std::function<void()> tell) { tell_change_ = std::move(tell); }

  // Connecting means that the server has not begun HTTP/2 yet: it may still refuse our certificate.
  // Once it is over, no more calls can be opened, but those that are open go on.
  enum class State { kConnecting, kReady, kOver };
  State state() const { return is_closed() ? State::kOver : state_; }

  // Opens a call. Requires that it is ready.
  void Open(const std::shared_ptr<ClientCall>& call);

  // Opens no more calls, and ends the connection when those that are open have ended.
  void Drain();

 private:
  void OnSettings() override;
  void OnGoAway() override { EndUse(); }
  void OnEnd() override { EndUse(); }
  void EndUse();

  const std::shared_ptr<boost::asio::ssl::context> context_;
  const std::string host_;
  std::string authority_;
  std::function<void()> tell_change_;
  State state_ = State::kConnecting;
};

}  // namespace platform::grpc::internal
