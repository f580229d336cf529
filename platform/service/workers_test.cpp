#include "platform/service/workers.h"

#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <csignal>
#include <latch>
#include <mutex>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

namespace platform::service {
namespace {

namespace asio = boost::asio;
using std::chrono::milliseconds;

constexpr std::size_t kWorkers = 3;

// Collects thread ids from many threads.
class Threads {
 public:
  void AddThis() {
    const std::scoped_lock lock(mutex_);
    ids_.insert(std::this_thread::get_id());
  }
  std::set<std::thread::id> ids() {
    const std::scoped_lock lock(mutex_);
    return ids_;
  }

 private:
  std::mutex mutex_;
  std::set<std::thread::id> ids_;
};

Task<void> StopAtOnce(std::size_t) { co_return; }

TEST(Workers, RunTasksEachOnAThreadOfItsOwn) {
  Workers workers(kWorkers);
  EXPECT_EQ(workers.size(), kWorkers);
  Threads threads;
  std::latch all_ran(kWorkers);
  for (std::size_t worker = 0; worker < kWorkers; ++worker) {
    asio::post(workers.executor(worker), [&] {
      threads.AddThis();
      all_ran.count_down();
    });
  }
  std::jthread sender([&] {
    all_ran.wait();
    std::raise(SIGTERM);
  });
  workers.RunUntilSignal(StopAtOnce);
  EXPECT_EQ(threads.ids().size(), kWorkers);
  EXPECT_FALSE(threads.ids().contains(std::this_thread::get_id()));
}

class Signals : public ::testing::TestWithParam<int> {};

TEST_P(Signals, StopEachWorkerOnItsThreadThenFinish) {
  Workers workers(kWorkers);
  Threads before;
  Threads stopping;
  std::latch all_ran(kWorkers);
  for (std::size_t worker = 0; worker < kWorkers; ++worker) {
    asio::post(workers.executor(worker), [&] {
      before.AddThis();
      all_ran.count_down();
    });
  }
  std::atomic<std::size_t> stopped = 0;
  bool is_finished = false;
  std::jthread sender([&] {
    all_ran.wait();
    std::raise(GetParam());
  });
  workers.RunUntilSignal(
      [&](std::size_t worker) -> Task<void> {
        // All loops continue to run while some are stopping.
        asio::steady_timer timer(co_await asio::this_coro::executor, milliseconds(20 * worker));
        co_await timer.async_wait(asio::use_awaitable);
        stopping.AddThis();
        ++stopped;
      },
      [&] {
        EXPECT_EQ(stopped, kWorkers);
        std::latch ran(kWorkers);  // Still running.
        for (std::size_t worker = 0; worker < kWorkers; ++worker) {
          asio::post(workers.executor(worker), [&] { ran.count_down(); });
        }
        ran.wait();
        is_finished = true;
      });
  EXPECT_TRUE(is_finished);
  EXPECT_EQ(stopping.ids(), before.ids());
}

INSTANTIATE_TEST_SUITE_P(, Signals, ::testing::Values(SIGTERM, SIGINT));

TEST(Workers, DoNotLoseASignalThatComesEarly) {
  Workers workers(1);
  std::raise(SIGTERM);
  workers.RunUntilSignal(StopAtOnce);
}

TEST(Workers, EndWithTasksThatWait) {
  bool is_stopped = false;
  {
    Workers workers(2);
    asio::steady_timer timer(workers.executor(0), std::chrono::hours(1));
    timer.async_wait([](boost::system::error_code) {});
    std::raise(SIGTERM);
    workers.RunUntilSignal(StopAtOnce);
    is_stopped = true;
  }
  EXPECT_TRUE(is_stopped);
}

TEST(Workers, EndAlsoWhenStoppingFails) {
  Workers workers(kWorkers);
  std::raise(SIGTERM);
  EXPECT_THROW(workers.RunUntilSignal([](std::size_t worker) -> Task<void> {
    if (worker == 1) throw std::runtime_error("broken");
    co_return;
  }),
               std::runtime_error);
}

TEST(WorkersDeathTest, ASecondSignalEndsTheProcess) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        Workers workers(1);
        std::raise(SIGTERM);
        workers.RunUntilSignal([](std::size_t) -> Task<void> {
          std::raise(SIGTERM);
          co_return;
        });
      },
      ::testing::KilledBySignal(SIGTERM), "");
}

}  // namespace
}  // namespace platform::service
