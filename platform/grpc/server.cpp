#include "platform/grpc/server.h"

#include <grpcpp/ext/health_check_service_server_builder_option.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <utility>

#include "platform/grpc/callback_threads.h"
#include "platform/grpc/connection_acceptor.h"
#include "platform/grpc/credentials.h"

namespace platform::grpc {
namespace {

using boost::asio::ip::tcp;

std::string ToString(const tcp::endpoint& endpoint) {
  const std::string address = endpoint.address().to_string();
  return (endpoint.address().is_v6() ? "[" + address + "]" : address) + ":" +
         std::to_string(endpoint.port());
}

int Milliseconds(std::chrono::milliseconds duration) { return static_cast<int>(duration.count()); }

void SetLimits(::grpc::ServerBuilder& builder, const ServerOptions& options) {
  using namespace std::chrono_literals;
  builder.SetMaxReceiveMessageSize(static_cast<int>(options.max_message_bytes));
  builder.SetMaxSendMessageSize(static_cast<int>(options.max_message_bytes));
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, options.max_concurrent_streams);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_MS,
                             Milliseconds(options.max_connection_age));
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS,
                             Milliseconds(options.max_connection_age_grace));
  builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS,
                             Milliseconds(options.handshake_timeout));
  // Detect clients that have disappeared without closing their connection...
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, Milliseconds(30s));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, Milliseconds(10s));
  // ... and allow our own clients the same. A client that pings more often is disconnected.
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                             Milliseconds(10s));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
}

}  // namespace

Server::Server(ServerOptions options) : options_(std::move(options)) {}

Server::~Server() { Shutdown(std::chrono::milliseconds{0}); }

std::expected<std::uint16_t, std::string> Server::Start(
    std::span<::grpc::Service* const> services) {
  if (auto checked = CheckTlsFiles(options_.tls); !checked) {
    return std::unexpected(std::move(checked).error());
  }
  boost::system::error_code error;
  const auto address = boost::asio::ip::make_address(options_.address, error);
  if (error) {
    return std::unexpected("cannot listen on \"" + options_.address + "\": not an IP address");
  }
  const tcp::endpoint endpoint(address, options_.port);

  ::grpc::EnableDefaultHealthCheckService(true);
  ::grpc::ServerBuilder builder;
  SetLimits(builder, options_);
  try {
    acceptor_ = std::make_unique<internal::ConnectionAcceptor>(
        endpoint, internal::ConnectionAcceptor::Limits{
                      .connections = options_.max_connections,
                      .connections_per_client = options_.max_connections_per_client});
  } catch (const boost::system::system_error& failure) {
    return std::unexpected("cannot listen on " + ToString(endpoint) + ": " +
                           failure.code().message());
  }
  hand_over_ = builder.experimental().AddExternalConnectionAcceptor(
      ::grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD,
      internal::MakeServerCredentials(options_.tls, options_.client_names));
  for (::grpc::Service* service : services) {
    builder.RegisterService(service);
  }
  internal::PrepareCallbackThreads();
  server_ = builder.BuildAndStart();
  if (server_ == nullptr) {
    return std::unexpected("cannot serve on " + ToString(endpoint) + ": gRPC refused to start");
  }
  acceptor_->Start([this](int listener, int connection) {
    ::grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters parameters;
    parameters.listener_fd = listener;
    parameters.fd = connection;
    hand_over_->HandleNewConnection(&parameters);
  });
  return acceptor_->port();
}

void Server::SetServing(bool serving) {
  if (server_ != nullptr) {
    server_->GetHealthCheckService()->SetServingStatus(serving);
  }
}

void Server::Shutdown(std::chrono::milliseconds grace) {
  if (server_ == nullptr) {
    return;
  }
  acceptor_.reset();
  server_->GetHealthCheckService()->Shutdown();
  server_->Shutdown(std::chrono::system_clock::now() + grace);
  server_->Wait();
  server_.reset();
}

}  // namespace platform::grpc
