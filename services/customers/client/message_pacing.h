#pragma once

#include <chrono>
#include <optional>

namespace customers::client {

// Decides when the next message of a stream is sent. A message, and the wake-ups of gRPC's threads
// that it causes on both sides, costs far more than a validation in it. So a lone validation is
// sent at once, while under load validations gather and share messages.
class MessagePacing {
 public:
  using Clock = std::chrono::steady_clock;

  // The minimum time between two messages: `unanswered_interval` while verdicts are awaited,
  // otherwise `interval`.
  MessagePacing(Clock::duration interval, Clock::duration unanswered_interval)
      : interval_(interval), unanswered_interval_(unanswered_interval) {}

  // Plans the next message. Returns when to send it, which means at once if that is in the past; or
  // nullopt if a message is already planned for then or earlier.
  std::optional<Clock::time_point> Plan(bool are_verdicts_awaited);

  // Removes the plan, because its time has come.
  void ClearPlan() { planned_.reset(); }

  void OnSent(Clock::time_point now) { last_sent_ = now; }

 private:
  const Clock::duration interval_;
  const Clock::duration unanswered_interval_;
  Clock::time_point last_sent_{};
  std::optional<Clock::time_point> planned_;
};

}  // namespace customers::client
