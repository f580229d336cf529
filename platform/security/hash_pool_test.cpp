#include "platform/security/hash_pool.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <chrono>
#include <memory>
#include <thread>
#include <vector>

namespace platform::security {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

// A hash whose verification takes some hundred milliseconds.
constexpr const char* kSlowHash =
    "$5$rounds=535000$ZyNumk0CX/piPWQj$dhprG6A4nC0NEIHkfPLiSD2TU/0DZmIc.KOwKgecZ7B";

template <class T>
T RunOn(asio::io_context& loop, Task<T> task) {
  auto outcome = asio::co_spawn(loop, std::move(task), asio::use_future);
  loop.restart();
  loop.run();
  return outcome.get();
}

TEST(HashPool, HashesAndVerifies) {
  asio::io_context loop;
  HashPool pool(2, 4);
  const auto hash = RunOn(loop, pool.Hash("testPass123"));
  ASSERT_TRUE(hash.has_value());
  const auto right = RunOn(loop, pool.Verify(*hash, "testPass123"));
  ASSERT_TRUE(right.has_value());
  EXPECT_TRUE(right->matches);
  EXPECT_FALSE(right->needs_rehash);
  const auto wrong = RunOn(loop, pool.Verify(*hash, "testPass124"));
  ASSERT_TRUE(wrong.has_value());
  EXPECT_FALSE(wrong->matches);
  const auto unknown = RunOn(loop, pool.Verify("", "testPass123"));
  ASSERT_TRUE(unknown.has_value());
  EXPECT_FALSE(unknown->matches);
  EXPECT_EQ(pool.Pending(), 0U);
}

TEST(HashPool, LeavesTheEventLoopFree) {
  asio::io_context loop;
  HashPool pool(1, 4);
  bool done = false;
  std::thread::id resumed_on;
  int ticks = 0;
  asio::co_spawn(
      loop,
      [&] -> Task<void> {
        const auto verified = co_await pool.Verify(kSlowHash, "testPass123");
        EXPECT_TRUE(verified && verified->matches && verified->needs_rehash);
        resumed_on = std::this_thread::get_id();
        done = true;
      },
      asio::detached);
  asio::co_spawn(
      loop,
      [&] -> Task<void> {
        asio::steady_timer timer(co_await asio::this_coro::executor);
        while (!done) {
          timer.expires_after(1ms);
          co_await timer.async_wait(asio::use_awaitable);
          ++ticks;
        }
      },
      asio::detached);
  loop.run();
  EXPECT_TRUE(done);
  EXPECT_GE(ticks, 5);
  EXPECT_EQ(resumed_on, std::this_thread::get_id());
}

TEST(HashPool, RefusesAtOnceWhenTheQueueIsFull) {
  asio::io_context loop;
  HashPool pool(1, 2);
  int verified = 0;
  int refused = 0;
  for (int i = 0; i < 10; ++i) {
    asio::co_spawn(
        loop,
        [&] -> Task<void> {
          const auto result = co_await pool.Verify(kSlowHash, "testPass123");
          if (result) {
            EXPECT_EQ(refused, 7) << "a refusal waited for a hash";
            ++verified;
          } else {
            EXPECT_EQ(result.error().code, ErrorCode::kUnavailable);
            EXPECT_GE(result.error().retry_after, 1s);
            ++refused;
          }
        },
        asio::detached);
  }
  loop.run();
  EXPECT_EQ(verified, 3);  // One running, two waiting.
  EXPECT_EQ(refused, 7);

  telemetry::Report report;
  pool.ReportTo(report);
  for (const char* line :
       {"password_hash_pool_pending 0\n", "password_hash_pool_limit 3\n",
        "password_hash_pool_refused_total 7\n", "password_hash_duration_seconds_count 3\n",
        "password_hash_wait_seconds_count 3\n"}) {
    EXPECT_THAT(report.Text(), testing::HasSubstr(line));
  }

  // And it takes work again.
  EXPECT_EQ(pool.Pending(), 0U);
  EXPECT_TRUE(RunOn(loop, pool.Hash("testPass123")).has_value());
}

TEST(HashPool, RefusesWhatHasWaitedForTooLong) {
  asio::io_context loop;
  HashPool pool(1, 10, HashForm::kArgon2id, 50ms);
  int verified = 0;
  int refused = 0;
  for (int i = 0; i < 5; ++i) {
    asio::co_spawn(
        loop,
        [&] -> Task<void> {
          const auto result = co_await pool.Verify(kSlowHash, "testPass123");
          if (!result) {
            EXPECT_EQ(result.error().code, ErrorCode::kUnavailable);
            EXPECT_GE(result.error().retry_after, 1s);
          }
          ++(result ? verified : refused);
        },
        asio::detached);
  }
  loop.run();
  EXPECT_EQ(verified, 1);
  EXPECT_EQ(refused, 4);

  telemetry::Report report;
  pool.ReportTo(report);
  for (const char* line :
       {"password_hash_pool_refused_total 4\n", "password_hash_duration_seconds_count 1\n"}) {
    EXPECT_THAT(report.Text(), testing::HasSubstr(line));
  }

  // And it takes work again.
  EXPECT_EQ(pool.Pending(), 0U);
  EXPECT_TRUE(RunOn(loop, pool.Hash("testPass123")).has_value());
}

TEST(HashPool, ServesManyLoopsAtOnce) {
  constexpr int kLoops = 4;
  constexpr int kCalls = 5;
  HashPool pool(2, 100);
  std::vector<int> matches(kLoops);
  std::vector<std::jthread> threads;
  for (auto& count : matches) {
    threads.emplace_back([&pool, &count] {
      asio::io_context loop;
      for (int i = 0; i < kCalls; ++i) {
        asio::co_spawn(
            loop,
            [&, home = std::this_thread::get_id()] -> Task<void> {
              const auto hash = co_await pool.Hash("testPass123");
              EXPECT_EQ(std::this_thread::get_id(), home);
              if (!hash) co_return;
              const auto verified = co_await pool.Verify(*hash, "testPass123");
              EXPECT_EQ(std::this_thread::get_id(), home);
              if (verified && verified->matches) ++count;
            },
            asio::detached);
      }
      loop.run();
    });
  }
  threads.clear();
  EXPECT_THAT(matches, testing::Each(kCalls));
}

TEST(HashPool, FailsWhatStillWaitsWhenDestroyed) {
  asio::io_context loop;
  auto pool = std::make_unique<HashPool>(1, 10);
  int verified = 0;
  int refused = 0;
  for (int i = 0; i < 5; ++i) {
    asio::co_spawn(
        loop,
        [&] -> Task<void> {
          const auto result = co_await pool->Verify(kSlowHash, "testPass123");
          ++(result ? verified : refused);
        },
        asio::detached);
  }
  loop.poll();  // Starts all of them.
  EXPECT_EQ(pool->Pending(), 5U);
  pool.reset();
  loop.run();
  EXPECT_EQ(verified + refused, 5);
  EXPECT_GE(refused, 4);  // All but the one that may have been running.
}

}  // namespace
}  // namespace platform::security
