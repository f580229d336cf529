#pragma once

#include <grpcpp/channel.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "platform/grpc/server_call.h"
#include "platform/grpc/testing/echo.grpc.pb.h"

namespace platform::grpc::testing {

// The paths of the methods of echo.proto.
inline constexpr const char* kEcho = "/platform.grpc.testing.EchoService/Echo";
inline constexpr const char* kRepeat = "/platform.grpc.testing.EchoService/Repeat";

// The service on our server. Calls of it beyond `max_calls`, for each method, are refused.
struct EchoCounts {
  std::atomic<int> open = 0;  // Calls.
  std::atomic<int> sent = 0;  // Messages of Repeat, as far as flow control permits.
};
std::vector<Method> EchoMethods(EchoCounts& counts, std::size_t max_calls = 1000);

// The service on a server of gRPC's own library. Answers with the request's text, fails, or does
// not answer until the call is cancelled.
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
