#include "platform/security/hash_pool.h"

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <exception>
#include <utility>

namespace platform::security {

namespace asio = boost::asio;

namespace {

// Wipes a text when the coroutine that holds it ends, also by an exception.
class WipeAtEnd {
 public:
  explicit WipeAtEnd(std::string& text) : text_(text) {}
  ~WipeAtEnd() { Wipe(text_); }
  WipeAtEnd(const WipeAtEnd&) = delete;
  WipeAtEnd& operator=(const WipeAtEnd&) = delete;

 private:
  std::string& text_;
};

using Clock = std::chrono::steady_clock;

constexpr telemetry::Metric kPending{"password_hash_pool_pending",
                                     "Passwords being hashed, or waiting for it."};
constexpr telemetry::Metric kLimit{"password_hash_pool_limit",
                                   "Passwords that may be hashed or wait; one more is refused."};
constexpr telemetry::Metric kRefused{"password_hash_pool_refused_total",
                                     "Passwords refused because the pool was full, or too slow."};
constexpr telemetry::Metric kWait{"password_hash_wait_seconds",
                                  "Time that a password waited for a thread."};
constexpr telemetry::Metric kDuration{"password_hash_duration_seconds",
                                      "Time to hash or verify a password, without waiting."};

}  // namespace

HashPool::HashPool(std::size_t threads, std::size_t queue_limit, HashForm form,
                   std::chrono::milliseconds longest_wait)
    : pending_limit_(threads + queue_limit),
      form_(form),
      longest_wait_(longest_wait),
      pool_(threads) {}

HashPool::~HashPool() {
  stopping_ = true;
  pool_.join();
}

// Runs `function` on the pool. `function` may refer to the caller's coroutine frame, because the
// handler keeps the frame alive until the job has ended.
template <class T, class Function>
Task<Result<T>> HashPool::Run(Function function) {
  if (pending_.fetch_add(1, std::memory_order_relaxed) >= pending_limit_) {
    pending_.fetch_sub(1, std::memory_order_relaxed);
    refused_.Add();
    co_return std::unexpected(Error::Unavailable());
  }
  auto start = [this, &function](auto handler) {
    auto home = asio::make_work_guard(asio::get_associated_executor(handler));
    asio::post(pool_, [this, &function, handler = std::move(handler), home = std::move(home),
                       asked = Clock::now()] mutable {
      std::exception_ptr failure;
      Result<T> result = std::unexpected(Error::Unavailable());
      if (!stopping_) {
        const auto begun = Clock::now();
        waits_.Observe(begun - asked);
        if (begun - asked > longest_wait_) {
          refused_.Add();
        } else {
          try {
            result = function();
          } catch (...) {
            failure = std::current_exception();
          }
          durations_.Observe(Clock::now() - begun);
        }
      }
      pending_.fetch_sub(1, std::memory_order_relaxed);
      auto executor = home.get_executor();
      asio::post(executor, [handler = std::move(handler), failure = std::move(failure),
                            result = std::move(result)] mutable {
        std::move(handler)(std::move(failure), std::move(result));
      });
    });
  };
  co_return co_await asio::async_initiate<const asio::use_awaitable_t<>&,
                                          void(std::exception_ptr, Result<T>)>(std::move(start),
                                                                               asio::use_awaitable);
}

Task<Result<std::string>> HashPool::Hash(std::string password) {
  const WipeAtEnd wipe(password);
  co_return co_await Run<std::string>([&] { return HashPassword(password, form_); });
}

Task<Result<Verification>> HashPool::Verify(std::string hash, std::string password,
                                            RefusalTime refusal) {
  const WipeAtEnd wipe(password);
  co_return co_await Run<Verification>(
      [&] { return VerifyPassword(hash, password, refusal, form_); });
}

void HashPool::ReportTo(telemetry::Report& report) const {
  report.AddGauge(kPending, {}, static_cast<double>(Pending()));
  report.AddGauge(kLimit, {}, static_cast<double>(pending_limit_));
  report.AddCounter(kRefused, {}, refused_);
  report.AddHistogram(kWait, {}, waits_);
  report.AddHistogram(kDuration, {}, durations_);
}

}  // namespace platform::security
