#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "platform/base/task.h"
#include "platform/postgres/client.h"
#include "platform/telemetry/instruments.h"
#include "platform/telemetry/report.h"
#include "services/cart/src/store/erasure_store.h"
#include "services/customers/client/deletion_feed.h"

namespace cart {

// Erases the carts of deleted users, as the customers service reports deletions. One replica at a
// time does it; another one takes over within seconds. One object in each process is enough. It
// belongs to the event loop of the database's client.
class Erasure {
 public:
  Erasure(platform::postgres::Client& database, customers::client::DeletionFeedOptions options);

  // Never returns. The object must outlive it, or the execution context must be stopped before.
  platform::Task<void> Run();

  // Lets another replica take over at once; this one does not take another turn.
  platform::Task<void> Stop();

  // Reports the metrics. Any thread.
  void ReportTo(platform::telemetry::Report& report) const;

 private:
  using Clock = std::chrono::steady_clock;

  // What this replica does. The order is that of kStates.
  enum class State : std::uint8_t { kStandby, kFollowing, kUnavailable, kUnimplemented };

  // Applies the customers service's next message. Returns how long to wait before the next step.
  platform::Task<std::chrono::milliseconds> Step();
  platform::Task<bool> TakeTurn();
  platform::Task<bool> Apply(const customers::client::Deletions& next);
  platform::Task<void> OnFailure(customers::client::DeletionFeed::Failure failure);

  ErasureStore store_;
  customers::client::DeletionFeed feed_;
  const std::string replica_;
  Clock::time_point extend_at_{};  // When to take the turn, or to extend it.
  std::int64_t position_ = 0;      // Of the last deletion that is applied, during a turn.
  bool is_stopping_ = false;

  std::atomic<State> state_ = State::kStandby;
  // When all deletions were last applied. Before the first time, the start of the process.
  std::atomic<std::chrono::system_clock::time_point> caught_up_ = std::chrono::system_clock::now();
  platform::telemetry::Counter erased_;
};

}  // namespace cart
