#include "platform/grpc/server_connection.h"

#include <nghttp2/nghttp2.h>

#include <utility>

#include "platform/grpc/wire.h"

namespace platform::grpc::internal {
namespace {

// Clients watch their deadlines themselves, so this one only ends what nobody waits for.
constexpr std::chrono::milliseconds kDeadlineCheckInterval{100};

}  // namespace

ServerConnection::ServerConnection(std::shared_ptr<boost::asio::ssl::context> context,
                                   TlsStream stream, const ConnectionOptions& options,
                                   std::shared_ptr<ReceiveBudget> budget, Options server_options)
    : Connection(std::move(stream), options, std::move(budget)),
      context_(std::move(context)),
      options_(std::move(server_options)),
      deadline_timer_(tls().get_executor()),
      age_timer_(tls().get_executor()) {}

void ServerConnection::Drain() {
  if (std::exchange(is_draining_, true)) return;
  ForEachStream([](Stream& stream) { static_cast<ServerCall&>(stream).OnShutdown(); });
  GoAway();
}

void ServerConnection::LimitAge(std::chrono::milliseconds age, std::chrono::milliseconds grace) {
  const auto weak = weak_from_this();
  age_timer_.expires_after(age);
  age_timer_.async_wait([weak, grace](const boost::system::error_code& error) {
    const auto self = std::static_pointer_cast<ServerConnection>(weak.lock());
    if (error || self == nullptr || self->is_closed()) return;
    self->GoAway();
    self->age_timer_.expires_after(grace);
    self->age_timer_.async_wait([weak](const boost::system::error_code& cut_error) {
      const auto connection = weak.lock();
      if (!cut_error && connection != nullptr) connection->Close();
    });
  });
}

void ServerConnection::OnNewStream(std::int32_t id) {
  AddStream(id, std::shared_ptr<ServerCall>(new ServerCall(tls().get_executor(), options_.worker,
                                                           options_.max_message_bytes)));
}

void ServerConnection::OnCall(ServerCall& call) {
  // The client has opened it before it learned of the shutdown.
  if (is_draining_) call.is_shutting_down_ = true;
  if (!call.timeout_.empty()) {
    const auto timeout = ParseTimeout(call.timeout_);
    if (!timeout) {
      call.Finish({StatusCode::kInternal, "The timeout is malformed"});
      return;
    }
    call.deadline_ = Clock::now() + *timeout;
    WatchDeadlines();
  }
  call.Resume([connection = shared_from_this(), self = call.Share()] {
    static_cast<ServerConnection&>(*connection).options_.serve(self);
  });
}

void ServerConnection::WatchDeadlines() {
  if (std::exchange(is_watching_deadlines_, true)) return;
  deadline_timer_.expires_after(kDeadlineCheckInterval);
  deadline_timer_.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
    const auto self = std::static_pointer_cast<ServerConnection>(weak.lock());
    if (error || self == nullptr || self->is_closed()) return;
    self->is_watching_deadlines_ = false;
    const auto now = Clock::now();
    self->ForEachStream([&](Stream& stream) {
      auto& call = static_cast<ServerCall&>(stream);
      if (!call.deadline_) return;
      if (now < *call.deadline_) {
        self->WatchDeadlines();
        return;
      }
      call.StopReading();
      call.Finish({StatusCode::kDeadlineExceeded, "The deadline has passed"});
    });
  });
}

}  // namespace platform::grpc::internal
