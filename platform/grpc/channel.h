#pragma once

#include <google/protobuf/message_lite.h>

#include <boost/asio/any_io_executor.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "platform/grpc/client_call.h"
#include "platform/grpc/host_and_port.h"
#include "platform/grpc/tls.h"

namespace platform::grpc {

struct ChannelOptions {
  // The hosts of the service's replicas, at least one. The certificate of each must be valid for
  // it.
  std::vector<HostAndPort> hosts;
  TlsFiles tls;
  // A larger message that is received ends its call with RESOURCE_EXHAUSTED.
  std::size_t max_message_bytes = std::size_t{1} << 20;
  // How long one attempt to connect may take, TLS handshake included.
  std::chrono::milliseconds connect_timeout{1000};
  // The pauses between attempts to connect to an address. They double from the first to the
  // longest, with jitter (half of it to all of it).
  std::chrono::milliseconds min_backoff{100};
  std::chrono::milliseconds max_backoff{500};
  // While calls are open, a server that is silent for the first time gets a ping, and its
  // connection is closed if it stays silent for the second. The second also applies to
  // unacknowledged data.
  std::chrono::milliseconds keepalive_time{20'000};
  std::chrono::milliseconds keepalive_timeout{5'000};
};

// The connections of a client to the replicas of a service, over mutual TLS: one to each address of
// each host. Calls
// take turns over those that are ready. It connects when first used, reconnects by itself, and
// looks the name up again whenever a connection is lost or refused, or a server announces its end.
//
// Belongs to one event loop: used on its thread alone, and destroyed there or after the loop has
// ended. Its open calls then end with UNAVAILABLE.
class Channel {
 public:
  // Requires that CheckTlsFiles() succeeds.
  Channel(const boost::asio::any_io_executor& executor, ChannelOptions options);
  ~Channel();
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  // Starts a call of "/package.Service/Method". It waits for a connection if one is being made. If
  // the latest attempts to connect have failed, it ends with UNAVAILABLE at once, until the next
  // attempt. `timeout` is the time until it ends with DEADLINE_EXCEEDED.
  std::shared_ptr<ClientCall> Start(std::string path, Metadata metadata = {},
                                    std::optional<std::chrono::milliseconds> timeout = {});

  // Returns whether a call would not have to wait for a connection.
  bool IsConnected() const;

 private:
  class Impl;
  const std::shared_ptr<Impl> impl_;
};

template <class Response>
struct UnaryReply {
  Status status;
  Response response;             // Meaningful only when `status` is OK.
  bool is_retry_allowed = true;  // False if the server forbids a repetition of the call.
};

// Makes a call with one message in each direction. It always ends: with DEADLINE_EXCEEDED after
// `timeout` at the latest. The channel may be destroyed meanwhile.
template <class Response>
Task<UnaryReply<Response>> Unary(Channel& channel, std::string path,
                                 const google::protobuf::MessageLite& request,
                                 std::chrono::milliseconds timeout, Metadata metadata = {}) {
  const auto call = channel.Start(std::move(path), std::move(metadata), timeout);
  call->Send(request);
  call->EndSending();
  UnaryReply<Response> reply;
  const auto message = co_await call->Read();
  // The status follows the message.
  while (message && co_await call->Read()) {
  }
  reply.status = call->status();
  reply.is_retry_allowed = call->Trailer("grpc-retry-pushback-ms").empty();
  if (reply.status.ok() && (!message || !reply.response.ParseFromString(*message))) {
    reply.status = {StatusCode::kInternal, "The message cannot be parsed"};
  }
  co_return reply;
}

}  // namespace platform::grpc
