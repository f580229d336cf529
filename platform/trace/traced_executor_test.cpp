#include "platform/trace/traced_executor.h"

#include <gtest/gtest.h>

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "platform/base/task.h"

namespace platform::trace {
namespace {

namespace asio = boost::asio;

// An operation that sees the spans of the coroutine that starts it, and ends on the loop later.
Task<std::string> StartOperation(asio::io_context& loop) {
  std::string span;
  co_await asio::async_initiate<const asio::use_awaitable_t<>&, void()>(
      [&](auto handler) {
        if (const auto parents = ParentsOf(asio::get_associated_executor(handler))) {
          span = parents->spans.front().span_id();
        }
        asio::post(loop, std::move(handler));
      },
      asio::use_awaitable);
  co_return span;
}

class TracedExecutorTest : public testing::Test {
 protected:
  std::shared_ptr<const Parents> Of(const TraceContext& span) {
    return std::make_shared<const Parents>(tracer_, std::vector{span});
  }

  asio::io_context loop_;
  Tracer tracer_{{.collector = {.host = "127.0.0.1", .port = 1, .path = "/"}}};
};

TEST_F(TracedExecutorTest, APlainExecutorNamesNoSpan) {
  EXPECT_EQ(ParentsOf(loop_.get_executor()), nullptr);
}

TEST_F(TracedExecutorTest, EveryStepOfACoroutineKnowsItsSpan) {
  const TraceContext span;
  std::vector<std::string> seen;
  const auto work = [&] -> Task<void> {
    seen.push_back(co_await StartOperation(loop_));
    asio::steady_timer timer(loop_, std::chrono::milliseconds(1));
    co_await timer.async_wait(asio::use_awaitable);
    seen.push_back(co_await StartOperation(loop_));
  };
  asio::co_spawn(TracedExecutor(loop_.get_executor(), Of(span)), work(), asio::detached);
  loop_.run();
  EXPECT_EQ(seen, std::vector<std::string>(2, std::string(span.span_id())));
}

TEST_F(TracedExecutorTest, CoroutinesThatAlternateKeepTheirSpans) {
  constexpr int kSteps = 20;
  int mixed = 0;
  int steps = 0;
  const auto work = [&](std::string expected) -> Task<void> {
    for (int i = 0; i < kSteps; ++i) {
      mixed += co_await StartOperation(loop_) != expected ? 1 : 0;
      ++steps;
    }
  };
  const TraceContext one;
  const TraceContext other;
  asio::co_spawn(TracedExecutor(loop_.get_executor(), Of(one)), work(std::string(one.span_id())),
                 asio::detached);
  asio::co_spawn(loop_, work(""), asio::detached);
  asio::co_spawn(TracedExecutor(loop_.get_executor(), Of(other)),
                 work(std::string(other.span_id())), asio::detached);
  loop_.run();
  EXPECT_EQ(mixed, 0);
  EXPECT_EQ(steps, 3 * kSteps);
}

TEST_F(TracedExecutorTest, TheCallerGoesOnWithoutTheSpan) {
  std::string inside;
  std::string after = "not run";
  const auto work = [&] -> Task<void> {
    inside = co_await asio::co_spawn(
        TracedExecutor(co_await asio::this_coro::executor, Of(TraceContext())),
        StartOperation(loop_), asio::use_awaitable);
    after = co_await StartOperation(loop_);
  };
  asio::co_spawn(loop_, work(), asio::detached);
  loop_.run();
  EXPECT_EQ(inside.size(), 16U);
  EXPECT_EQ(after, "");
}

TEST_F(TracedExecutorTest, RunsOnTheThreadOfTheOtherExecutor) {
  std::thread::id ran_on;
  asio::post(TracedExecutor(loop_.get_executor(), Of(TraceContext())),
             [&] { ran_on = std::this_thread::get_id(); });
  EXPECT_EQ(ran_on, std::thread::id());
  std::thread runner([&] { loop_.run(); });
  const std::thread::id expected = runner.get_id();
  runner.join();
  EXPECT_EQ(ran_on, expected);
}

}  // namespace
}  // namespace platform::trace
