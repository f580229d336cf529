#pragma once

#include <cstddef>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "platform/http/client_address.h"

namespace platform::http {

// Limits the open connections of each client address, over all servers that share it. An IPv6
// address counts for each of its ClientNetworks(). It must outlive its slots. Any thread.
class ClientConnections {
 public:
  // Counts one connection of a client until it is destroyed.
  class Slot {
   public:
    Slot(Slot&& other) noexcept;
    Slot(const Slot&) = delete;
    Slot& operator=(const Slot&) = delete;
    Slot& operator=(Slot&&) = delete;
    ~Slot();

   private:
    friend class ClientConnections;
    Slot(ClientConnections& connections, std::vector<ClientNetwork> networks)
        : connections_(&connections), networks_(std::move(networks)) {}

    ClientConnections* connections_;  // Null once moved from.
    std::vector<ClientNetwork> networks_;
  };

  explicit ClientConnections(std::size_t limit) : limit_(limit) {}

  // Returns nothing if one of the client's networks has `limit` connections for each of its shares
  // already.
  std::optional<Slot> Take(const std::string& address);

 private:
  const std::size_t limit_;
  std::mutex mutex_;
  std::unordered_map<std::string, std::size_t> open_;  // By network; never 0.
};

}  // namespace platform::http
