#include "platform/grpc/replicas.h"

#include <grpcpp/channel.h>

#include <algorithm>
#include <optional>
#include <random>
#include <utility>

namespace platform::grpc::internal {
namespace {

bool IsReady(const std::shared_ptr<::grpc::Channel>& channel) {
  return channel->GetState(/*try_to_connect=*/false) == GRPC_CHANNEL_READY;
}

}  // namespace

ChannelRotation::ChannelRotation(const std::vector<HostAndPort>& hosts, ChannelOptions options) {
  for (const HostAndPort& host : hosts) {
    options.host = host.host;
    options.port = host.port;
    channels_.push_back(MakeChannel(options));
  }
  // A random first one, so that the workers of all clients do not begin with the same replica.
  next_ = std::random_device{}() % channels_.size();
}

std::size_t ChannelRotation::Next() {
  const std::size_t count = channels_.size();
  std::optional<std::size_t> connecting;
  std::optional<std::size_t> connected;
  for (std::size_t turn = 0; turn < count; ++turn) {
    const std::size_t index = (next_ + turn) % count;
    const auto state = channels_[index]->GetState(/*try_to_connect=*/true);
    if (state == GRPC_CHANNEL_READY) {
      if (!connected) connected = index;
    } else if (state != GRPC_CHANNEL_TRANSIENT_FAILURE) {
      if (!connecting) connecting = index;
    }
  }
  const std::size_t chosen = connected.value_or(connecting.value_or(next_));
  next_ = (chosen + 1) % count;
  return chosen;
}

bool ChannelRotation::IsConnected() const { return std::ranges::any_of(channels_, IsReady); }

}  // namespace platform::grpc::internal
