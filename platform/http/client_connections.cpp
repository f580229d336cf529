#include "platform/http/client_connections.h"

#include <utility>

#include "platform/http/client_address.h"

namespace platform::http {

ClientConnections::Slot::Slot(Slot&& other) noexcept
    : connections_(std::exchange(other.connections_, nullptr)), client_(std::move(other.client_)) {}

ClientConnections::Slot::~Slot() {
  if (connections_ == nullptr) return;
  const std::scoped_lock lock(connections_->mutex_);
  const auto found = connections_->open_.find(client_);
  if (--found->second == 0) connections_->open_.erase(found);
}

std::optional<ClientConnections::Slot> ClientConnections::Take(const std::string& address) {
  std::string client = ThrottleKey(address);
  const std::scoped_lock lock(mutex_);
  std::size_t& open = open_[client];
  if (open >= limit_) return std::nullopt;
  ++open;
  return Slot(*this, std::move(client));
}

}  // namespace platform::http
