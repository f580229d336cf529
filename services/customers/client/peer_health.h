#pragma once

#include <chrono>
#include <optional>
#include <random>

namespace customers::client {

// Judges the health of the customers service by the streams to it: whether it counts as away, how
// long to back off, and whether a stream has fallen silent.
class PeerHealth {
 public:
  using Clock = std::chrono::steady_clock;

  struct Loss {
    bool is_first;                    // The first loss since the latest verdict, so it is logged.
    std::chrono::milliseconds pause;  // Time until the next stream is opened.
  };

  // `reopen_pause` is the longest pause before the next stream; the shortest is half of it. A
  // stream is silent if verdicts are awaited and none arrives for `max_silence`.
  PeerHealth(std::chrono::milliseconds reopen_pause, Clock::duration max_silence)
      : reopen_pause_(reopen_pause), max_silence_(max_silence) {}

  // A stream is opened.
  void OnOpened() { is_heard_ = false; }

  // A message is sent.
  void OnSent(Clock::time_point now);

  // The stream has brought verdicts. Returns whether that ends a loss.
  bool OnVerdicts(Clock::time_point now, bool are_more_awaited);

  // The stream is lost, or was given up. Begins a back-off.
  Loss OnLost();

  // The stream has ended because the customers service does not implement it.
  void OnUnimplemented();

  // The pause before the next stream is over.
  void OnBackOffEnded() { is_backing_off_ = false; }

  // Returns whether to wait before the next stream is opened.
  bool IsBackingOff() const { return is_backing_off_; }

  // Returns whether the customers service counts as away, because two streams in a row were lost
  // without a verdict.
  bool IsAway() const { return failures_ >= kAwayAfter; }

  bool IsSilent(Clock::time_point now) const {
    return quiet_since_ && now - *quiet_since_ >= max_silence_;
  }

 private:
  static constexpr int kAwayAfter = 2;

  const std::chrono::milliseconds reopen_pause_;
  const Clock::duration max_silence_;
  // The time of the latest verdict, or of the first message after it. Unset while no verdicts are
  // awaited.
  std::optional<Clock::time_point> quiet_since_;
  bool is_heard_ = false;  // The present stream has brought a verdict.
  int failures_ = 0;       // Streams in a row that were lost without a verdict.
  bool is_lost_ = false;   // True from the loss of a stream until the next verdict.
  bool is_backing_off_ = false;
  std::minstd_rand random_{std::random_device{}()};
};

}  // namespace customers::client
