#include "platform/security/hash_pool.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace platform::security {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

// A hash whose verification takes some hundred milliseconds.
constexpr const char* kSlowHash =
    "$5$rounds=535000$ZyNumk0CX/piPWQj$dhprG6A4nC0NEIHkfPLiSD2TU/0DZmIc.KOwKgecZ7B";

// Longer than any test, also on a busy machine.
constexpr std::chrono::milliseconds kLong = 5min;

const std::vector<ClientNetwork> kClient{{.name = "192.0.2.1"}};

Task<Result<std::string>> Hash(HashPool& pool, std::string password) {
  Result<HashPool::Place> place = pool.Enter(HashPurpose::kRegistration, kClient);
  if (!place) co_return std::unexpected(place.error());
  co_return co_await place->Hash(std::move(password));
}

Task<Result<Verification>> Verify(HashPool& pool, std::string hash, std::string password) {
  Result<HashPool::Place> place = pool.Enter(HashPurpose::kLogin, kClient);
  if (!place) co_return std::unexpected(place.error());
  co_return co_await place->Verify(std::move(hash), std::move(password));
}

template <class T>
T RunOn(asio::io_context& loop, Task<T> task) {
  auto outcome = asio::co_spawn(loop, std::move(task), asio::use_future);
  loop.restart();
  loop.run();
  return outcome.get();
}

TEST(HashPool, HashesAndVerifies) {
  asio::io_context loop;
  HashPool pool({.threads = 2});
  const auto hash = RunOn(loop, Hash(pool, "testPass123"));
  ASSERT_TRUE(hash.has_value());
  const auto right = RunOn(loop, Verify(pool, *hash, "testPass123"));
  ASSERT_TRUE(right.has_value());
  EXPECT_TRUE(right->matches);
  EXPECT_FALSE(right->needs_rehash);
  const auto wrong = RunOn(loop, Verify(pool, *hash, "testPass124"));
  ASSERT_TRUE(wrong.has_value());
  EXPECT_FALSE(wrong->matches);
  const auto unknown = RunOn(loop, Verify(pool, "", "testPass123"));
  ASSERT_TRUE(unknown.has_value());
  EXPECT_FALSE(unknown->matches);
  EXPECT_EQ(pool.Pending(), 0U);
}

TEST(HashPool, LeavesTheEventLoopFree) {
  asio::io_context loop;
  HashPool pool({.threads = 1});
  bool done = false;
  std::thread::id resumed_on;
  int ticks = 0;
  asio::co_spawn(
      loop,
      [&] -> Task<void> {
        const auto verified = co_await Verify(pool, kSlowHash, "testPass123");
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

TEST(HashPool, RefusesAtOnceWhatAClientAsksBeyondItsPlaces) {
  asio::io_context loop;
  HashPool pool({.threads = 1, .places = 10, .places_of_client = 3, .longest_wait = kLong});
  int verified = 0;
  int refused = 0;
  for (int i = 0; i < 10; ++i) {
    asio::co_spawn(
        loop,
        [&] -> Task<void> {
          const auto result = co_await Verify(pool, kSlowHash, "testPass123");
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
  EXPECT_EQ(verified, 3);
  EXPECT_EQ(refused, 7);

  telemetry::Report report;
  pool.ReportTo(report);
  for (const char* line :
       {"password_hash_pool_pending{purpose=\"login\"} 0\n",
        "password_hash_pool_places{purpose=\"login\"} 0\n",
        "password_hash_pool_limit{purpose=\"login\"} 10\n",
        "password_hash_pool_refused_total{purpose=\"login\",reason=\"client\"} 7\n",
        "password_hash_pool_refused_total{purpose=\"login\",reason=\"full\"} 0\n",
        "password_hash_pool_refused_total{purpose=\"registration\",reason=\"client\"} 0\n",
        "password_hash_wait_seconds_count{purpose=\"login\"} 3\n",
        "password_hash_duration_seconds_count 3\n"}) {
    EXPECT_THAT(report.Text(), testing::HasSubstr(line));
  }

  // And it takes work again.
  EXPECT_EQ(pool.Pending(), 0U);
  EXPECT_TRUE(RunOn(loop, Hash(pool, "testPass123")).has_value());
}

// The job of another client begins before those of the first one that wait.
TEST(HashPool, ClientsTakeTurns) {
  asio::io_context loop;
  HashPool pool({.threads = 1, .longest_wait = kLong});
  std::vector<std::string> order;
  const auto verify = [&](const char* client) -> Task<void> {
    auto place = pool.Enter(HashPurpose::kLogin, {{.name = client}});
    const auto verified = co_await place.value().Verify(DummyHash(), "testPass123");
    EXPECT_TRUE(verified.has_value());
    order.emplace_back(client);
  };
  for (int i = 0; i < 30; ++i) asio::co_spawn(loop, verify("attacker"), asio::detached);
  loop.poll();  // Starts all of them.
  asio::co_spawn(loop, verify("honest"), asio::detached);
  loop.run();
  // Two run when the other client asks; some more may have begun by then.
  EXPECT_LE(std::ranges::find(order, "honest") - order.begin(), 20);
  EXPECT_EQ(order.size(), 31U);
}

TEST(HashPool, APlaceIsForOneJobAfterTheOther) {
  asio::io_context loop;
  HashPool pool({.threads = 1, .places = 1, .places_of_client = 1});
  {
    auto place = pool.Enter(HashPurpose::kLogin, kClient);
    ASSERT_TRUE(place.has_value());
    EXPECT_FALSE(pool.Enter(HashPurpose::kLogin, kClient).has_value());
    const auto hash = RunOn(loop, place->Hash("testPass123"));
    ASSERT_TRUE(hash.has_value());
    const auto verified = RunOn(loop, place->Verify(*hash, "testPass123"));
    EXPECT_TRUE(verified && verified->matches);
  }
  EXPECT_TRUE(pool.Enter(HashPurpose::kLogin, kClient).has_value());
}

TEST(HashPool, APlaceThatOutlivesThePoolHashesNothing) {
  asio::io_context loop;
  auto pool = std::make_unique<HashPool>(HashPoolOptions{});
  auto place = pool->Enter(HashPurpose::kLogin, kClient);
  ASSERT_TRUE(place.has_value());
  pool.reset();
  EXPECT_FALSE(RunOn(loop, place->Hash("testPass123")).has_value());
}

TEST(HashPool, RefusesWhatHasWaitedForTooLong) {
  asio::io_context loop;
  HashPool pool({.threads = 1, .longest_wait = 100ms});
  int verified = 0;
  int refused = 0;
  for (int i = 0; i < 5; ++i) {
    asio::co_spawn(
        loop,
        [&] -> Task<void> {
          const auto result = co_await Verify(pool, kSlowHash, "testPass123");
          if (!result) {
            EXPECT_EQ(result.error().code, ErrorCode::kUnavailable);
            EXPECT_GE(result.error().retry_after, 1s);
          }
          ++(result ? verified : refused);
        },
        asio::detached);
  }
  loop.run();
  // The spare thread may take the first one.
  EXPECT_GE(verified, 1);
  EXPECT_LE(verified, 2);
  EXPECT_EQ(verified + refused, 5);

  telemetry::Report report;
  pool.ReportTo(report);
  EXPECT_THAT(
      report.Text(),
      testing::HasSubstr("password_hash_pool_refused_total{purpose=\"login\",reason=\"late\"} " +
                         std::to_string(refused) + "\n"));

  // And it takes work again.
  EXPECT_EQ(pool.Pending(), 0U);
  EXPECT_TRUE(RunOn(loop, Hash(pool, "testPass123")).has_value());
}

TEST(HashPool, ServesManyLoopsAtOnce) {
  constexpr int kLoops = 4;
  constexpr int kCalls = 5;
  HashPool pool({.threads = 2, .places = 100, .places_of_client = 100, .longest_wait = kLong});
  std::vector<int> matches(kLoops);
  std::vector<std::jthread> threads;
  for (auto& count : matches) {
    threads.emplace_back([&pool, &count] {
      asio::io_context loop;
      for (int i = 0; i < kCalls; ++i) {
        asio::co_spawn(
            loop,
            [&, home = std::this_thread::get_id()] -> Task<void> {
              const auto hash = co_await Hash(pool, "testPass123");
              EXPECT_EQ(std::this_thread::get_id(), home);
              if (!hash) co_return;
              const auto verified = co_await Verify(pool, *hash, "testPass123");
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
  auto pool = std::make_unique<HashPool>(HashPoolOptions{.threads = 1});
  int verified = 0;
  int refused = 0;
  for (int i = 0; i < 5; ++i) {
    asio::co_spawn(
        loop,
        [&] -> Task<void> {
          const auto result = co_await Verify(*pool, kSlowHash, "testPass123");
          ++(result ? verified : refused);
        },
        asio::detached);
  }
  loop.poll();  // Starts all of them.
  EXPECT_EQ(pool->Pending(), 5U);
  pool.reset();
  loop.run();
  EXPECT_EQ(verified + refused, 5);
  EXPECT_GE(refused, 3);  // All but the two that may have been running.
}

}  // namespace
}  // namespace platform::security
