#include "platform/security/refusal_limit.h"

#include <algorithm>

namespace platform::security {

bool RefusalLimit::Count(const std::vector<ClientNetwork>& networks, Clock::time_point now) {
  const std::scoped_lock lock(mutex_);
  while (!oldest_first_.empty() && now - refusals_.at(oldest_first_.front()).since >= window_) {
    refusals_.erase(oldest_first_.front());
    oldest_first_.pop_front();
  }
  bool is_reached = false;
  for (const auto& [name, share] : networks) {
    const auto [found, is_new] = refusals_.try_emplace(name, Refusals{.since = now});
    if (is_new) oldest_first_.push_back(name);
    is_reached |= ++found->second.count == limit_ * static_cast<std::size_t>(share);
  }
  while (oldest_first_.size() > max_networks_) {
    refusals_.erase(oldest_first_.front());
    oldest_first_.pop_front();
  }
  return is_reached;
}

std::optional<std::chrono::seconds> RefusalLimit::Wait(const std::vector<ClientNetwork>& networks,
                                                       Clock::time_point now) const {
  const std::scoped_lock lock(mutex_);
  std::optional<std::chrono::seconds> wait;
  for (const auto& [name, share] : networks) {
    const auto found = refusals_.find(name);
    if (found == refusals_.end()) continue;
    const auto& [count, since] = found->second;
    if (count < limit_ * static_cast<std::size_t>(share) || now - since >= window_) continue;
    const auto left = std::chrono::ceil<std::chrono::seconds>(since + window_ - now);
    wait = std::max(wait.value_or(left), left);
  }
  return wait;
}

}  // namespace platform::security
