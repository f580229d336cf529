#include "platform/http/testing/running_server.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_future.hpp>
#include <stdexcept>
#include <utility>

namespace platform::http::testing {

RunningServer::RunningServer(Handler handler, Limits limits)
    : RunningServer(std::move(handler), ServerOptions{.limits = limits}) {}

RunningServer::RunningServer(Handler handler, ServerOptions options, ServerMetrics* metrics)
    : guard_(loop_.get_executor()) {
  auto listeners = Listener::Open("127.0.0.1", 0, 1);
  if (!listeners) throw std::runtime_error(listeners.error());
  port_ = listeners->front().port();
  server_ = std::make_unique<Server>(loop_.get_executor(), std::move(listeners->front()),
                                     std::move(handler), std::move(options), metrics);
  thread_ = std::thread([this] { loop_.run(); });
}

RunningServer::~RunningServer() {
  loop_.stop();
  thread_.join();
}

std::future<void> RunningServer::Stop(std::chrono::milliseconds grace) {
  return boost::asio::co_spawn(loop_, server_->Stop(grace), boost::asio::use_future);
}

void RunningServer::Destroy() {
  boost::asio::post(loop_, boost::asio::use_future([this] { server_.reset(); })).get();
}

void RunningServer::Block(std::chrono::milliseconds duration) {
  std::promise<void> begun;
  boost::asio::post(loop_, [&begun, duration] {
    begun.set_value();
    std::this_thread::sleep_for(duration);
  });
  begun.get_future().get();
}

}  // namespace platform::http::testing
