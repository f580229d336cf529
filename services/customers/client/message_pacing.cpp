#include "services/customers/client/message_pacing.h"

namespace customers::client {

std::optional<MessagePacing::Clock::time_point> MessagePacing::Plan(bool are_verdicts_awaited) {
  const auto due = last_sent_ + (are_verdicts_awaited ? unanswered_interval_ : interval_);
  if (planned_ && *planned_ <= due) return std::nullopt;
  planned_ = due;
  return due;
}

}  // namespace customers::client
