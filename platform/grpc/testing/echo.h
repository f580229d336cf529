#pragma once

#include <grpcpp/channel.h>

#include <chrono>
#include <memory>
#include <string>

#include "platform/grpc/testing/echo.grpc.pb.h"

namespace platform::grpc::testing {

// Answers with the request's text, fails, or keeps silent until the call is cancelled.
class EchoServer final : public EchoService::CallbackService {
 public:
  ::grpc::ServerUnaryReactor* Echo(::grpc::CallbackServerContext* context,
                                   const EchoRequest* request, EchoReply* reply) override;
};

// Calls Echo and waits; the status of the call, or DATA_LOSS if the text did not come back.
// `peer_name`, when given, gets the common name of the server's certificate.
::grpc::Status CallEcho(const std::shared_ptr<::grpc::Channel>& channel,
                        const std::string& text = "hello",
                        std::chrono::milliseconds timeout = std::chrono::seconds{2},
                        std::string* peer_name = nullptr);

}  // namespace platform::grpc::testing
