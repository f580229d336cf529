#include "services/cart/src/erasure.h"

#include <array>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>
#include <string_view>
#include <utility>

#include "platform/log/log.h"
#include "platform/security/random.h"

namespace cart {
namespace {

using customers::client::Deletion;
using customers::client::DeletionFeed;
using customers::client::Deletions;
using platform::Task;
using platform::telemetry::Metric;
using std::chrono::milliseconds;

// A turn lasts for six seconds. It is extended by then even if one call of DeletionFeed::Next()
// takes as long as it may, which is four seconds.
constexpr milliseconds kExtendAfter{1500};
// Pause before the next attempt to take the turn, and after a failure of our own database.
constexpr milliseconds kPause{1000};
constexpr std::size_t kReplicaBytes = 16;

constexpr Metric kState{"erasure_state",
                        "1 for what this replica does about deletions of users, otherwise 0."};
constexpr Metric kErased{"erasure_carts_total",
                         "Carts of deleted users that this replica has erased."};
constexpr Metric kCaughtUp{
    "erasure_caught_up_timestamp_seconds",
    "Time at which this replica had last applied all deletions of users; its "
    "start, if it never has."};

constexpr std::array<std::string_view, 4> kStates{"standby", "following", "unavailable",
                                                  "unimplemented"};

}  // namespace

Erasure::Erasure(platform::postgres::Client& database,
                 customers::client::DeletionFeedOptions options)
    : store_(database),
      feed_(std::move(options)),
      replica_(platform::security::RandomHex(kReplicaBytes)) {}

Task<void> Erasure::Run() {
  boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor);
  for (;;) {
    milliseconds pause = kPause;
    try {
      pause = co_await Step();
    } catch (const std::exception& error) {
      platform::log::Error("erasing carts failed", {{"error", error.what()}});
      extend_at_ = {};
    }
    if (pause.count() == 0) continue;
    timer.expires_after(pause);
    co_await timer.async_wait(boost::asio::use_awaitable);
  }
}

Task<void> Erasure::Stop() {
  is_stopping_ = true;
  // Without an answer, the turn ends by itself.
  (void)co_await store_.EndTurn(replica_);
}

Task<milliseconds> Erasure::Step() {
  if (is_stopping_ || !co_await TakeTurn()) {
    feed_.Close();
    co_return kPause;
  }
  const auto next = co_await feed_.Next(position_);
  if (!next) {
    co_await OnFailure(next.error());
  } else if (!co_await Apply(*next)) {
    // The position is read again, because it may have been advanced: by a statement without an
    // answer, or by another replica.
    extend_at_ = {};
    co_return kPause;
  } else {
    state_ = State::kFollowing;
    if (next->is_caught_up) caught_up_ = std::chrono::system_clock::now();
  }
  co_return milliseconds{0};
}

// Returns whether it is this replica's turn.
Task<bool> Erasure::TakeTurn() {
  if (Clock::now() < extend_at_) co_return true;
  const auto asked = Clock::now();
  const auto position = co_await store_.TakeTurn(replica_);
  if (!position || !*position) {
    state_ = position ? State::kStandby : State::kUnavailable;
    co_return false;
  }
  extend_at_ = asked + kExtendAfter;
  position_ = **position;
  co_return true;
}

// Returns whether all deletions were applied.
Task<bool> Erasure::Apply(const Deletions& next) {
  for (const Deletion& deletion : next.deletions) {
    const auto applied = co_await store_.Erase(deletion.user_id, position_, deletion.position);
    if (!applied) state_ = State::kUnavailable;
    if (!applied || !*applied) co_return false;
    position_ = deletion.position;
    erased_.Add();
  }
  co_return true;
}

Task<void> Erasure::OnFailure(DeletionFeed::Failure failure) {
  switch (failure) {
    case DeletionFeed::Failure::kUnavailable:
      state_ = State::kUnavailable;
      break;
    case DeletionFeed::Failure::kUnimplemented:
      state_ = State::kUnimplemented;
      break;
    case DeletionFeed::Failure::kUnknownPosition:
      (void)co_await store_.Rewind(position_);
      extend_at_ = {};
      break;
  }
}

void Erasure::ReportTo(platform::telemetry::Report& report) const {
  const auto state = static_cast<std::size_t>(state_.load());
  for (std::size_t i = 0; i < kStates.size(); ++i) {
    report.AddGauge(kState, {{"state", kStates[i]}}, i == state ? 1.0 : 0.0);
  }
  report.AddCounter(kErased, {}, erased_);
  const std::chrono::duration<double> caught_up = caught_up_.load().time_since_epoch();
  report.AddGauge(kCaughtUp, {}, caught_up.count());
}

}  // namespace cart
