#pragma once

#include <boost/asio/io_context.hpp>
#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

#include "platform/runtime/task.h"

namespace platform::service {

// The threads that serve requests, each with an event loop of its own.
class Workers {
 public:
  using Executor = boost::asio::io_context::executor_type;

  explicit Workers(std::size_t count);

  std::size_t size() const { return loops_.size(); }
  Executor executor(std::size_t worker) const { return loops_[worker]->get_executor(); }

  // Runs all loops until SIGTERM or SIGINT. Then runs `stop` once on each of them, waits for these
  // tasks to end, and calls `finish` while the loops still run. Call it once.
  void RunUntilSignal(
      const std::function<Task<void>(std::size_t worker)>& stop,
      const std::function<void()>& finish = [] {});

 private:
  std::vector<std::unique_ptr<boost::asio::io_context>> loops_;
};

}  // namespace platform::service
