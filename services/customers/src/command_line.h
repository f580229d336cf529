#pragma once

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <chrono>
#include <future>
#include <string_view>
#include <utility>

#include "platform/base/result.h"
#include "platform/base/task.h"

// Functions that all commands that change accounts use.
namespace customers {

// Prints the problem to stderr. Returns the exit code.
int Fail(std::string_view problem);
// Does the same for an error of a store.
int Fail(const platform::Error& error);

// Runs the loop until the task ends. Returns the task's result.
template <class T>
T RunUntilDone(boost::asio::io_context& loop, platform::Task<T> task) {
  auto done = boost::asio::co_spawn(loop, std::move(task), boost::asio::use_future);
  while (done.wait_for(std::chrono::seconds(0)) != std::future_status::ready) loop.run_one();
  return done.get();
}

}  // namespace customers
