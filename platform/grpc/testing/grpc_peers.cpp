#include "platform/grpc/testing/grpc_peers.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>
#include <grpcpp/support/channel_arguments.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <future>
#include <iterator>
#include <stdexcept>

namespace platform::grpc::testing {
namespace {

std::string Content(const std::filesystem::path& file) {
  std::ifstream stream(file);
  return {std::istreambuf_iterator<char>(stream), {}};
}

// gRPC 1.51 ends the threads of its callbacks with the last channel or server that uses them, and
// sometimes frees their queue twice when it does. So one that is never destroyed keeps them.
void KeepCallbackThreads() {
  [[maybe_unused]] static const auto& kept = *new const std::shared_ptr<::grpc::Channel>([] {
    auto channel = ::grpc::CreateChannel("", nullptr);
    ::grpc::GenericStub stub(channel);
    ::grpc::ClientContext context;
    const ::grpc::Slice empty;
    ::grpc::ByteBuffer request(&empty, 1);
    ::grpc::ByteBuffer response;
    std::promise<void> ended;
    stub.UnaryCall(&context, "/", {}, &request, &response,
                   [&ended](const ::grpc::Status&) { ended.set_value(); });
    ended.get_future().wait();
    return channel;
  }());
}

}  // namespace

std::shared_ptr<::grpc::Channel> MakeGrpcChannel(const std::string& host, std::uint16_t port,
                                                 const TlsFiles& files,
                                                 std::size_t max_message_bytes) {
  KeepCallbackThreads();
  ::grpc::SslCredentialsOptions options;
  options.pem_root_certs = Content(files.ca);
  options.pem_cert_chain = Content(files.certificate);
  options.pem_private_key = Content(files.key);
  ::grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 500);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetMaxReceiveMessageSize(static_cast<int>(max_message_bytes));
  arguments.SetMaxSendMessageSize(static_cast<int>(max_message_bytes));
  const bool is_ipv6 = host.contains(':');
  const std::string target = (is_ipv6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
  return ::grpc::CreateCustomChannel(target, ::grpc::SslCredentials(options), arguments);
}

GrpcServer::GrpcServer(const TlsFiles& files, std::span<::grpc::Service* const> services,
                       std::uint16_t port, std::chrono::milliseconds max_connection_age) {
  KeepCallbackThreads();
  ::grpc::SslServerCredentialsOptions options(
      GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  options.pem_root_certs = Content(files.ca);
  options.pem_key_cert_pairs.push_back(
      {.private_key = Content(files.key), .cert_chain = Content(files.certificate)});
  ::grpc::ServerBuilder builder;
  // Two servers of a test must not share a port.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  int listening = 0;
  if (max_connection_age.count() > 0) {
    builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_MS,
                               static_cast<int>(max_connection_age.count()));
    builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS, 1000);
  }
  builder.AddListeningPort("127.0.0.1:" + std::to_string(port),
                           ::grpc::SslServerCredentials(options), &listening);
  for (::grpc::Service* service : services) builder.RegisterService(service);
  server_ = builder.BuildAndStart();
  if (server_ == nullptr || listening == 0) throw std::runtime_error("gRPC cannot listen");
  port_ = static_cast<std::uint16_t>(listening);
}

GrpcServer::~GrpcServer() {
  server_->Shutdown(std::chrono::system_clock::now());
  server_->Wait();
}

}  // namespace platform::grpc::testing
