#include "services/customers/client/peer_health.h"

#include <utility>

namespace customers::client {

void PeerHealth::OnSent(Clock::time_point now) {
  if (!quiet_since_) quiet_since_ = now;
}

bool PeerHealth::OnVerdicts(Clock::time_point now, bool are_more_awaited) {
  quiet_since_ = are_more_awaited ? std::optional(now) : std::nullopt;
  is_heard_ = true;
  failures_ = 0;
  return std::exchange(is_lost_, false);
}

PeerHealth::Loss PeerHealth::OnLost() {
  quiet_since_.reset();
  if (!is_heard_) ++failures_;
  is_backing_off_ = true;
  // The pause is random, so that the workers do not all connect at the same moment.
  std::uniform_int_distribution pause(reopen_pause_.count() / 2, reopen_pause_.count());
  return {.is_first = !std::exchange(is_lost_, true),
          .pause = std::chrono::milliseconds{pause(random_)}};
}

void PeerHealth::OnUnimplemented() {
  quiet_since_.reset();
  failures_ = 0;
}

}  // namespace customers::client
