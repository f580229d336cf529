#pragma once

#include <cstddef>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

namespace platform::http {

// Limits the open connections of each client address, over all servers that share it. An IPv6
// address counts with its network, as for ThrottleKey. It must outlive its slots. Any thread.
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
    Slot(ClientConnections& connections, std::string client)
        : connections_(&connections), client_(std::move(client)) {}

    ClientConnections* connections_;  // Null once moved from.
    std::string client_;
  };

  explicit ClientConnections(std::size_t limit) : limit_(limit) {}

  // Returns nothing if the client has `limit` connections already.
  std::optional<Slot> Take(const std::string& address);

 private:
  const std::size_t limit_;
  std::mutex mutex_;
  std::unordered_map<std::string, std::size_t> open_;  // By client; never 0.
};

}  // namespace platform::http
