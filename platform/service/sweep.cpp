#include "platform/service/sweep.h"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>

#include "platform/log/log.h"

namespace platform::service {
namespace {

constexpr std::chrono::milliseconds kShortPause{100};

}  // namespace

Task<void> SweepForEver(std::string name, std::chrono::minutes rest,
                        std::function<Task<Result<bool>>()> sweep_batch) {
  boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor);
  for (;;) {
    bool is_more_likely = false;
    try {
      is_more_likely = (co_await sweep_batch()).value_or(false);
    } catch (const std::exception& error) {
      log::Error("a sweep failed", {{"sweep", name}, {"error", error.what()}});
    }
    timer.expires_after(is_more_likely ? kShortPause : std::chrono::milliseconds(rest));
    co_await timer.async_wait(boost::asio::use_awaitable);
  }
}

}  // namespace platform::service
