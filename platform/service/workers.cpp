#include "platform/service/workers.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/use_future.hpp>
#include <csignal>
#include <future>
#include <thread>

#include "platform/log/log.h"

namespace platform::service {

Workers::Workers(std::size_t count) : signals_(signal_loop_, SIGTERM, SIGINT) {
  for (std::size_t i = 0; i < count; ++i) {
    loops_.push_back(std::make_unique<boost::asio::io_context>(/*concurrency_hint=*/1));
  }
}

void Workers::WaitForStopSignal() {
  signals_.async_wait([](const boost::system::error_code&, int signal) {
    log::Info("stopping", {{"signal", signal == SIGTERM ? "SIGTERM" : "SIGINT"}});
  });
  signal_loop_.run();
  signals_.clear();
}

void Workers::RunUntilSignal(const std::function<Task<void>(std::size_t worker)>& stop,
                             const std::function<void()>& finish) {
  std::vector<boost::asio::executor_work_guard<Executor>> guards;
  std::vector<std::jthread> threads;
  for (const auto& loop : loops_) {
    guards.emplace_back(loop->get_executor());
    threads.emplace_back([&loop] { loop->run(); });
  }
  // Stops the loops before the threads are joined, also if an exception is thrown.
  struct StopLoops {
    const decltype(loops_)& loops;
    ~StopLoops() {
      for (const auto& loop : loops) loop->stop();
    }
  } const stop_loops{loops_};

  WaitForStopSignal();

  std::vector<std::future<void>> stopped;
  for (std::size_t worker = 0; worker < loops_.size(); ++worker) {
    stopped.push_back(
        boost::asio::co_spawn(*loops_[worker], stop(worker), boost::asio::use_future));
  }
  for (std::future<void>& worker : stopped) worker.get();
  finish();
}

}  // namespace platform::service
