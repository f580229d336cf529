#include "platform/grpc/channel.h"

#include <grpcpp/channel.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/support/channel_arguments.h>

#include <limits>

#include "platform/grpc/callback_threads.h"
#include "platform/grpc/credentials.h"

namespace platform::grpc {
namespace {

std::string Target(const ChannelOptions& options) {
  const bool is_ipv6 = options.host.contains(':');
  return "dns:///" + (is_ipv6 ? "[" + options.host + "]" : options.host) + ":" +
         std::to_string(options.port);
}

int Milliseconds(std::chrono::milliseconds duration) { return static_cast<int>(duration.count()); }

::grpc::ChannelArguments Arguments(const ChannelOptions& options) {
  using namespace std::chrono_literals;
  ::grpc::ChannelArguments arguments;
  // Each channel has connections of its own.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetLoadBalancingPolicyName("round_robin");
  arguments.SetMaxReceiveMessageSize(static_cast<int>(options.max_message_bytes));
  arguments.SetMaxSendMessageSize(static_cast<int>(options.max_message_bytes));
  // Reconnect soon. gRPC's "minimum reconnect back-off" limits an attempt to connect.
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, Milliseconds(options.connect_timeout));
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, Milliseconds(100ms));
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, Milliseconds(options.max_backoff));
  // Never go idle.
  arguments.SetInt(GRPC_ARG_CLIENT_IDLE_TIMEOUT_MS, std::numeric_limits<int>::max());
  // Resolve the name again when a connection ends, and query the DNS for addresses only.
  arguments.SetInt(GRPC_ARG_DNS_MIN_TIME_BETWEEN_RESOLUTIONS_MS, Milliseconds(1s));
  arguments.SetInt(GRPC_ARG_DNS_ARES_QUERY_TIMEOUT_MS, Milliseconds(2s));
  arguments.SetInt(GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1);
  // Connect to the server directly, even if the variable http_proxy is set.
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  // Detect a server that has disappeared without closing its connection. Ping only while calls are
  // open, because a server with gRPC's defaults treats other pings as abuse. The timeout also
  // applies to unacknowledged data.
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, Milliseconds(20s));
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, Milliseconds(5s));
  arguments.SetInt(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 0);
  if (!options.service_config.empty()) {
    arguments.SetServiceConfigJSON(options.service_config);
  }
  return arguments;
}

}  // namespace

std::shared_ptr<::grpc::Channel> MakeChannel(const ChannelOptions& options) {
  internal::PrepareCallbackThreads();
  return ::grpc::CreateCustomChannel(Target(options), internal::MakeChannelCredentials(options.tls),
                                     Arguments(options));
}

}  // namespace platform::grpc
