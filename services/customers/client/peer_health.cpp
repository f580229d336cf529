#include "services/customers/client/peer_health.h"

#include <utility>

#include "platform/base/random_duration.h"

namespace customers::client {

bool PeerHealth::OnVerdicts() {
  failures_ = 0;
  return std::exchange(is_lost_, false);
}

PeerHealth::Loss PeerHealth::OnLost(const End& end) {
  if (!end.was_heard) ++failures_;
  const bool is_loss = !end.is_orderly || IsAway();
  Loss loss{.is_news = is_loss && !std::exchange(is_lost_, true), .pause = std::nullopt};
  if (!end.is_connected || IsAway()) {
    is_backing_off_ = true;
    // The pause is random, so that the workers do not all connect at the same moment.
    loss.pause = platform::RandomDuration(reopen_pause_ / 2, reopen_pause_);
  }
  return loss;
}

void PeerHealth::OnUnimplemented() { failures_ = 0; }

}  // namespace customers::client
