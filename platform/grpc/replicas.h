#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "platform/grpc/channel.h"

namespace platform::grpc {

struct HostAndPort {
  std::string host;
  std::uint16_t port = 0;

  bool operator==(const HostAndPort&) const = default;
};

namespace internal {

// Channels to several hosts, in turn. Belongs to one thread.
class ChannelRotation {
 public:
  // `options` applies to all hosts; its own host and port are ignored.
  ChannelRotation(const std::vector<HostAndPort>& hosts, ChannelOptions options);

  const std::vector<std::shared_ptr<::grpc::Channel>>& channels() const { return channels_; }

  // Returns the index of the channel for the next call: the next one in turn that is connected. If
  // none is, the next one that is connecting; if none is either, the next one.
  std::size_t Next();

  // Returns whether a channel is connected.
  bool IsConnected() const;

 private:
  std::vector<std::shared_ptr<::grpc::Channel>> channels_;
  std::size_t next_;
};

}  // namespace internal

// Stubs of a service that several replicas provide. Calls, and streams with all their messages, are
// spread in turn over the hosts that are connected, and over the addresses of each host's name
// (MakeChannel). The certificate of each replica must be valid for its host. `hosts` must not be
// empty. Belongs to one thread.
template <class Service>
class Replicas {
 public:
  explicit Replicas(const std::vector<HostAndPort>& hosts, ChannelOptions options)
      : rotation_(hosts, std::move(options)) {
    for (const auto& channel : rotation_.channels()) {
      stubs_.push_back(Service::NewStub(channel));
    }
  }

  // Returns the stub for the next call, and begins to connect hosts that are not connected.
  typename Service::Stub& Next() { return *stubs_[rotation_.Next()]; }

  // Returns whether there is a replica that a call would reach without connecting first.
  bool IsConnected() const { return rotation_.IsConnected(); }

 private:
  internal::ChannelRotation rotation_;
  std::vector<std::unique_ptr<typename Service::Stub>> stubs_;
};

}  // namespace platform::grpc
