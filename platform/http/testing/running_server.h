#pragma once

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <thread>

#include "platform/http/server.h"

namespace platform::http::testing {

// A server on a free loopback port, with a thread and an event loop of its own. Call all functions
// on the test's thread.
class RunningServer {
 public:
  explicit RunningServer(Handler handler, Limits limits = {});
  RunningServer(Handler handler, ServerOptions options, ServerMetrics* metrics = nullptr);
  // Ends the loop and destroys everything, open connections included.
  ~RunningServer();
  RunningServer(const RunningServer&) = delete;
  RunningServer& operator=(const RunningServer&) = delete;

  std::uint16_t port() const { return port_; }

  // Calls Server::Stop. The future is ready when it has ended.
  std::future<void> Stop(std::chrono::milliseconds grace);
  // Destroys only the server, on its loop, which continues to run.
  void Destroy();
  // Blocks the loop for this long, beginning now.
  void Block(std::chrono::milliseconds duration);

 private:
  boost::asio::io_context loop_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> guard_;
  std::unique_ptr<Server> server_;
  std::uint16_t port_ = 0;
  std::thread thread_;
};

}  // namespace platform::http::testing
