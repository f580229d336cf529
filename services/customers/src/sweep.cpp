#include "services/customers/src/sweep.h"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <cstddef>
#include <exception>

#include "platform/log/log.h"

namespace customers {
namespace {

using platform::Result;
using platform::Task;

// The pause between two batches, which limits the sweep to a small part of the database's time.
constexpr std::chrono::milliseconds kShortPause{100};
constexpr std::chrono::minutes kLongPause{1};

// Returns whether there may be more sessions to remove.
Task<bool> SweepBatch(SessionStore& sessions) {
  try {
    const Result<std::size_t> swept = co_await sessions.Sweep();
    co_return swept && *swept == SessionStore::kSweepBatch;
  } catch (const std::exception& error) {
    platform::log::Error("sweeping sessions failed", {{"error", error.what()}});
    co_return false;
  }
}

}  // namespace

Task<void> SweepForEver(SessionStore& sessions) {
  boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor);
  for (;;) {
    const bool is_more_likely = co_await SweepBatch(sessions);
    timer.expires_after(is_more_likely ? std::chrono::milliseconds(kShortPause) : kLongPause);
    co_await timer.async_wait(boost::asio::use_awaitable);
  }
}

}  // namespace customers
