#pragma once

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>
#include <functional>
#include <optional>
#include <utility>

#include "platform/postgres/client.h"

namespace platform::postgres {

// An event loop with a client, for tests.
class TestLoop {
 public:
  explicit TestLoop(Settings settings, ClientOptions options = {}) {
    client_.emplace(context_.get_executor(), std::move(settings), std::move(options));
  }

  // Runs the loop until the task has ended.
  void Run(std::function<Task<void>(Client&)> task) {
    std::exception_ptr broken;
    boost::asio::co_spawn(
        context_, [&] { return task(*client_); },
        [&](const std::exception_ptr& error) {
          broken = error;
          context_.stop();
        });
    context_.restart();
    context_.run();
    if (broken) {
      std::rethrow_exception(broken);
    }
  }

  // Starts a task that runs beside others during Run().
  template <class F>
  void Spawn(F task) {
    boost::asio::co_spawn(context_, std::move(task), [](const std::exception_ptr& error) {
      if (error) {
        std::rethrow_exception(error);
      }
    });
  }

  Task<void> Sleep(std::chrono::milliseconds time) {
    boost::asio::steady_timer timer(context_, time);
    co_await timer.async_wait(boost::asio::use_awaitable);
  }

  Client& client() { return *client_; }
  void DestroyClient() { client_.reset(); }
  boost::asio::io_context& context() { return context_; }

 private:
  boost::asio::io_context context_{1};
  std::optional<Client> client_;
};

}  // namespace platform::postgres
