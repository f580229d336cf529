#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

#include "platform/base/task.h"

namespace platform::service {

// The threads that serve requests, each with its own event loop.
class Workers {
 public:
  using Executor = boost::asio::io_context::executor_type;

  explicit Workers(std::size_t count);

  std::size_t size() const { return loops_.size(); }
  Executor executor(std::size_t worker) const { return loops_[worker]->get_executor(); }

  // Runs all loops until SIGTERM or SIGINT, which may have arrived at any time since the
  // construction; a second signal ends the process at once. Then runs `stop` once on each loop,
  // waits for these tasks to end, and calls `finish` while the loops still run. Rethrows their
  // exceptions after the loops have ended. Call it once.
  void RunUntilSignal(
      const std::function<Task<void>(std::size_t worker)>& stop,
      const std::function<void()>& finish = [] {});

 private:
  void WaitForStopSignal();

  std::vector<std::unique_ptr<boost::asio::io_context>> loops_;
  boost::asio::io_context signal_loop_;
  boost::asio::signal_set signals_;
};

}  // namespace platform::service
