#pragma once

#include <grpcpp/channel.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "platform/grpc/testing/echo.grpc.pb.h"

namespace platform::grpc::testing {

// Answers with the request's text, fails, or does not answer until the call is cancelled.
class EchoServer final : public EchoService::CallbackService {
 public:
  ::grpc::ServerUnaryReactor* Echo(::grpc::CallbackServerContext* context,
                                   const EchoRequest* request, EchoReply* reply) override;
  ::grpc::ServerWriteReactor<EchoReply>* Repeat(::grpc::CallbackServerContext* context,
                                                const EchoRequest* request) override;

  // Returns the addresses and ports that Echo() was called from.
  std::set<std::string> clients() const {
    const std::scoped_lock lock(mutex_);
    return clients_;
  }

  // Messages of Repeat() that were sent, as far as flow control permits.
  std::atomic<int> sent = 0;

 private:
  mutable std::mutex mutex_;
  std::set<std::string> clients_;
};

// Calls Echo and waits. Returns the call's status, or DATA_LOSS if another text came back.
// Sets `peer_name`, if given, to the common name of the server's certificate.
::grpc::Status CallEcho(const std::shared_ptr<::grpc::Channel>& channel,
                        const std::string& text = "hello",
                        std::chrono::milliseconds timeout = std::chrono::seconds{2},
                        std::string* peer_name = nullptr);

}  // namespace platform::grpc::testing
