#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/impl/service_type.h>
#include <grpcpp/server.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "platform/grpc/tls.h"

// The other end of our clients and servers in tests and benchmarks: gRPC's own C++ library, which
// shows that ours speak the protocol.
namespace platform::grpc::testing {

// Makes a channel over mutual TLS, with a connection of its own.
std::shared_ptr<::grpc::Channel> MakeGrpcChannel(const std::string& host, std::uint16_t port,
                                                 const TlsFiles& files,
                                                 std::size_t max_message_bytes = std::size_t{4}
                                                                                 << 20);

// A server over mutual TLS, on 127.0.0.1. The destructor ends open calls at once.
class GrpcServer {
 public:
  // `port` 0 takes any free port. Without a maximum age, connections are kept. `services` must
  // outlive the server. Throws std::runtime_error if it cannot listen.
  GrpcServer(const TlsFiles& files, std::span<::grpc::Service* const> services,
             std::uint16_t port = 0, std::chrono::milliseconds max_connection_age = {});
  ~GrpcServer();
  GrpcServer(const GrpcServer&) = delete;
  GrpcServer& operator=(const GrpcServer&) = delete;

  std::uint16_t port() const { return port_; }

 private:
  std::unique_ptr<::grpc::Server> server_;
  std::uint16_t port_ = 0;
};

}  // namespace platform::grpc::testing
