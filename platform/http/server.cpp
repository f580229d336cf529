#include "platform/http/server.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>
#include <optional>
#include <string>
#include <unordered_set>

#include "platform/http/connection.h"
#include "platform/http/server_metrics.h"
#include "platform/log/log.h"

namespace platform::http {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);
constexpr std::chrono::milliseconds kDeadlineCheckInterval{250};
constexpr std::chrono::milliseconds kStopCheckInterval{10};
constexpr std::chrono::milliseconds kAcceptPause{50};
// Connections beyond the limit, for health checks.
constexpr std::size_t kReserve = 8;

tcp ProtocolOf(int socket) {
  int domain = AF_INET;
  socklen_t size = sizeof domain;
  getsockopt(socket, SOL_SOCKET, SO_DOMAIN, &domain, &size);
  return domain == AF_INET6 ? tcp::v6() : tcp::v4();
}

std::string PeerAddress(const tcp::socket& socket) {
  boost::system::error_code error;
  const auto endpoint = socket.remote_endpoint(error);
  return error ? std::string() : endpoint.address().to_string();
}

// A server that no longer accepts connections or checks deadlines must not seem to work. So an
// exception in one of its tasks leaves the event loop and ends the process.
void MustNotFail(const std::exception_ptr& exception) {
  if (exception) std::rethrow_exception(exception);
}

}  // namespace

class Server::Impl : public std::enable_shared_from_this<Server::Impl> {
 public:
  Impl(const asio::any_io_executor& executor, int socket, Handler handler, ServerOptions options,
       ServerMetrics* metrics)
      : acceptor_(executor, ProtocolOf(socket), socket),
        timer_(executor),
        handler_(std::move(handler)),
        options_(std::move(options)),
        metrics_(metrics) {}

  void Start() {
    asio::co_spawn(acceptor_.get_executor(), Accept(shared_from_this()), MustNotFail);
    asio::co_spawn(acceptor_.get_executor(), CheckDeadlines(shared_from_this()), MustNotFail);
  }

  static Task<void> Stop(std::shared_ptr<Impl> self, std::chrono::milliseconds grace) {
    self->is_stopping_ = true;
    // Connections that the kernel has already accepted must be served.
    const asio::any_io_executor executor = self->acceptor_.get_executor();
    boost::system::error_code error;
    self->acceptor_.non_blocking(true, error);
    for (;;) {
      tcp::socket socket(executor);
      self->acceptor_.accept(socket, error);
      if (error) break;
      self->Admit(std::move(socket));
    }
    self->acceptor_.close(error);
    for (Connection* connection : self->connections_) connection->Drain();
    // So must a connection whose completion is already queued for Accept.
    co_await asio::post(executor, asio::use_awaitable);

    const auto deadline = Connection::Clock::now() + grace;
    asio::steady_timer timer(executor);
    while (!self->connections_.empty() && Connection::Clock::now() < deadline) {
      timer.expires_after(kStopCheckInterval);
      co_await timer.async_wait(kAwait);
    }
    if (!self->connections_.empty()) {
      log::Warning("connections cut at the end of the grace period",
                   {{"connections", self->connections_.size()}});
    }
    self->Close();
  }

  void Close() {
    is_closed_ = true;
    boost::system::error_code ignored;
    acceptor_.close(ignored);
    timer_.cancel();
    for (Connection* connection : connections_) connection->Abort();
  }

 private:
  static Task<void> Accept(std::shared_ptr<Impl> self) {
    asio::steady_timer pause(self->acceptor_.get_executor());
    while (self->acceptor_.is_open()) {
      auto [error, socket] = co_await self->acceptor_.async_accept(kAwait);
      if (error == asio::error::operation_aborted) co_return;
      if (error) {
        // The usual cause is a lack of descriptors, so wait for some to be closed.
        log::Warning("cannot accept a connection", {{"error", error.message()}});
        pause.expires_after(kAcceptPause);
        co_await pause.async_wait(kAwait);
      } else {
        self->Admit(std::move(socket));
      }
    }
  }

  // Serves a new connection, or closes it: a clear refusal is better than slow service for all
  // clients.
  void Admit(tcp::socket socket) {
    std::string peer = PeerAddress(socket);
    const bool is_limited = options_.clients != nullptr && !options_.trusted_proxies.Trusts(peer);
    auto slot = is_limited ? options_.clients->Take(peer) : std::nullopt;
    if (is_limited && !slot) {
      if (metrics_ != nullptr) metrics_->connections_refused_by_client.Add();
      return;
    }
    const std::size_t limit = options_.limits.connections;
    if (connections_.size() >= limit && !state_.waiting.empty()) {
      Connection* const oldest = state_.waiting.front();
      connections_.erase(oldest);
      oldest->Abort();
      if (metrics_ != nullptr) metrics_->connections_displaced.Add();
    }
    if (connections_.size() >= limit + kReserve) {
      if (metrics_ != nullptr) metrics_->connections_refused.Add();
      return;
    }
    const auto admission = connections_.size() < limit ? Admission::kOrdinary : Admission::kReserve;
    Spawn(
        Serve(shared_from_this(), std::move(socket), std::move(peer), std::move(slot), admission));
  }

  void Spawn(Task<void> serve) {
    asio::co_spawn(acceptor_.get_executor(), std::move(serve),
                   [](const std::exception_ptr& exception) {
                     if (!exception) return;
                     try {
                       std::rethrow_exception(exception);
                     } catch (const std::exception& error) {
                       log::Error("connection failed", {{"error", error.what()}});
                     }
                   });
  }

  static Task<void> Serve(std::shared_ptr<Impl> self, tcp::socket socket, std::string peer,
                          [[maybe_unused]] std::optional<ClientConnections::Slot> slot,
                          Admission admission) {
    Connection connection(std::move(socket), std::move(peer), admission, self->handler_,
                          self->options_, self->state_, self->metrics_);
    if (self->is_closed_) co_return;
    struct Registration {
      Impl& server;
      Connection& connection;
      Registration(Impl& of, Connection& registered) : server(of), connection(registered) {
        server.connections_.insert(&connection);
        if (server.metrics_ == nullptr) return;
        server.metrics_->connections.Add(1);
        server.metrics_->connections_accepted.Add();
      }
      ~Registration() {
        server.connections_.erase(&connection);
        if (server.metrics_ != nullptr) server.metrics_->connections.Add(-1);
      }
    } const registration(*self, connection);
    if (self->is_stopping_) connection.Drain();
    co_await connection.Serve();
  }

  static Task<void> CheckDeadlines(std::shared_ptr<Impl> self) {
    while (!self->is_closed_) {
      self->timer_.expires_after(kDeadlineCheckInterval);
      const auto [error] = co_await self->timer_.async_wait(kAwait);
      if (error) co_return;  // Closed.
      const auto now = Connection::Clock::now();
      for (Connection* connection : self->connections_) connection->CheckDeadline(now);
      if (self->options_.memory != nullptr) self->RelieveMemory(*self->options_.memory, now);
    }
  }

  // If the budget did not suffice lately, closes the slowest connections until a quarter of it is
  // free for new ones.
  void RelieveMemory(const MemoryBudget& memory, Connection::Clock::time_point now) {
    const std::uint64_t failures = memory.failures();
    if (std::exchange(memory_failures_, failures) == failures) return;
    while (memory.used() > memory.limit() / 4 * 3 && !state_.holding.empty() &&
           state_.holding.front()->IsSlow(now)) {
      state_.holding.front()->Abort();
      if (metrics_ != nullptr) metrics_->connections_slow.Add();
    }
  }

  tcp::acceptor acceptor_;
  asio::steady_timer timer_;
  Handler handler_;
  const ServerOptions options_;
  ServerMetrics* const metrics_;
  std::unordered_set<Connection*> connections_;
  ServerState state_;
  std::uint64_t memory_failures_ = 0;  // Those of the budget at the last check.
  bool is_stopping_ = false;
  bool is_closed_ = false;
};

Server::Server(const asio::any_io_executor& executor, Listener listener, Handler handler,
               ServerOptions options, ServerMetrics* metrics)
    : impl_(std::make_shared<Impl>(executor, listener.Release(), std::move(handler),
                                   std::move(options), metrics)) {
  impl_->Start();
}

Server::~Server() { impl_->Close(); }

Task<void> Server::Stop(std::chrono::milliseconds grace) { return Impl::Stop(impl_, grace); }

}  // namespace platform::http
