#pragma once

#include <chrono>
#include <optional>

namespace customers::client {

// Judges the health of the customers service, which is one or several replicas, by the streams to
// it: whether it counts as away, and how long to back off.
class PeerHealth {
 public:
  struct Loss {
    // To be logged: the first loss since the latest verdict that is more than a replica's end.
    bool is_news;
    // Time until the next stream is opened; nothing if it may be opened at once.
    std::optional<std::chrono::milliseconds> pause;
  };

  // `reopen_pause` is the longest pause before the next stream; the shortest is half of it.
  explicit PeerHealth(std::chrono::milliseconds reopen_pause) : reopen_pause_(reopen_pause) {}

  // A stream has brought verdicts. Returns whether that ends a loss.
  bool OnVerdicts();

  struct End {
    bool was_heard;     // The stream has brought a verdict.
    bool is_orderly;    // The customers service has ended it with OK.
    bool is_connected;  // A replica is connected.
  };

  // A stream has ended with validations that have no verdict, or was given up. Begins a back-off,
  // unless a replica may be used at once.
  Loss OnLost(const End& end);

  // A stream has ended because the customers service does not implement it.
  void OnUnimplemented();

  // The pause before the next stream is over.
  void OnBackOffEnded() { is_backing_off_ = false; }

  // Returns whether to wait before the next stream is opened.
  bool IsBackingOff() const { return is_backing_off_; }

  // Returns whether the customers service counts as away, because two streams in a row were lost
  // without a verdict.
  bool IsAway() const { return failures_ >= kAwayAfter; }

 private:
  static constexpr int kAwayAfter = 2;

  const std::chrono::milliseconds reopen_pause_;
  int failures_ = 0;      // Streams in a row that were lost without a verdict.
  bool is_lost_ = false;  // True from the loss of a stream until the next verdict.
  bool is_backing_off_ = false;
};

}  // namespace customers::client
