#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "platform/base/client_network.h"

namespace platform::security {

// Counts the attempts of each client's networks that were refused, so that one whose attempts are
// refused again and again can be sent away without any work. A count ends a window after its first
// refusal. The counts of the networks that were refused last are in memory, so each replica has its
// own. Any thread.
class RefusalLimit {
 public:
  using Clock = std::chrono::steady_clock;

  // Number of networks whose counts are kept; about 3 MiB.
  static constexpr std::size_t kMaxNetworks = 16'384;

  // Each network may be refused `limit` times for each of its shares within `window`.
  RefusalLimit(std::size_t limit, std::chrono::seconds window,
               std::size_t max_networks = kMaxNetworks)
      : limit_(limit), window_(window), max_networks_(max_networks) {}

  // Counts a refusal. Returns whether it is the one by which a network reaches its limit.
  bool Count(const std::vector<ClientNetwork>& networks, Clock::time_point now);

  // Returns the time until the client may try again; nothing if it may now.
  std::optional<std::chrono::seconds> Wait(const std::vector<ClientNetwork>& networks,
                                           Clock::time_point now) const;

 private:
  struct Refusals {
    std::size_t count = 0;
    Clock::time_point since;
  };

  const std::size_t limit_;
  const std::chrono::seconds window_;
  const std::size_t max_networks_;
  mutable std::mutex mutex_;
  std::unordered_map<std::string, Refusals> refusals_;
  std::deque<std::string> oldest_first_;  // The keys of `refusals_`.
};

}  // namespace platform::security
