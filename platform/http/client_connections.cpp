#include "platform/http/client_connections.h"

#include <algorithm>
#include <utility>

namespace platform::http {

ClientConnections::Slot::Slot(Slot&& other) noexcept
    : connections_(std::exchange(other.connections_, nullptr)),
      networks_(std::move(other.networks_)) {}

ClientConnections::Slot::~Slot() {
  if (connections_ == nullptr) return;
  const std::scoped_lock lock(connections_->mutex_);
  for (const ClientNetwork& network : networks_) {
    const auto found = connections_->open_.find(network.name);
    if (--found->second == 0) connections_->open_.erase(found);
  }
}

std::optional<ClientConnections::Slot> ClientConnections::Take(const std::string& address) {
  std::vector<ClientNetwork> networks = ClientNetworks(address);
  const std::scoped_lock lock(mutex_);
  const bool is_full = std::ranges::any_of(networks, [this](const ClientNetwork& network) {
    const auto found = open_.find(network.name);
    return found != open_.end() &&
           found->second >= limit_ * static_cast<std::size_t>(network.share);
  });
  if (is_full) return std::nullopt;
  for (const ClientNetwork& network : networks) ++open_[network.name];
  return Slot(*this, std::move(networks));
}

}  // namespace platform::http
