#include "platform/grpc/server.h"

#include <netinet/tcp.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <deque>
#include <exception>
#include <functional>
#include <future>
#include <map>
#include <mutex>
#include <optional>
#include <ranges>
#include <unordered_set>
#include <utility>

#include "platform/base/random_duration.h"
#include "platform/grpc/health.pb.h"
#include "platform/grpc/server_connection.h"
#include "platform/grpc/tls_context.h"
#include "platform/log/log.h"

namespace platform::grpc {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using ::grpc::health::v1::HealthCheckRequest;
using ::grpc::health::v1::HealthCheckResponse;
using internal::ServerConnection;
using UserTimeout = asio::detail::socket_option::integer<IPPROTO_TCP, TCP_USER_TIMEOUT>;

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);
constexpr std::chrono::milliseconds kAcceptPause{50};
constexpr std::chrono::milliseconds kStopCheckInterval{10};
constexpr std::size_t kMaxHealthCalls = 1024;

std::string ToString(const tcp::endpoint& endpoint) {
  const std::string address = endpoint.address().to_string();
  return (endpoint.address().is_v6() ? "[" + address + "]" : address) + ":" +
         std::to_string(endpoint.port());
}

// A server that accepts nothing must not seem to work. So an exception in that task leaves the
// event loop and ends the process.
void MustNotFail(const std::exception_ptr& exception) {
  if (exception) std::rethrow_exception(exception);
}

// Counts connections, of all and of each client. It must outlive its places. Any thread.
class ConnectionCount {
 public:
  class Place {
   public:
    Place(ConnectionCount& all, asio::ip::address client)
        : all_(&all), client_(std::move(client)) {}
    Place(Place&& other) noexcept
        : all_(std::exchange(other.all_, nullptr)), client_(std::move(other.client_)) {}
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    Place& operator=(Place&&) = delete;
    ~Place() {
      if (all_ != nullptr) all_->Leave(client_);
    }

   private:
    ConnectionCount* all_;
    asio::ip::address client_;
  };

  ConnectionCount(std::size_t limit, std::size_t limit_per_client)
      : limit_(limit), limit_per_client_(limit_per_client) {}

  // Returns nothing if there is no place.
  std::optional<Place> Enter(const asio::ip::address& client) {
    const std::scoped_lock lock(mutex_);
    const auto found = by_client_.find(client);
    const std::size_t of_client = found == by_client_.end() ? 0 : found->second;
    if (total_ >= limit_ || of_client >= limit_per_client_) return std::nullopt;
    ++total_;
    by_client_[client] = of_client + 1;
    return Place(*this, client);
  }

 private:
  void Leave(const asio::ip::address& client) {
    const std::scoped_lock lock(mutex_);
    --total_;
    const auto found = by_client_.find(client);
    if (--found->second == 0) by_client_.erase(found);
  }

  const std::size_t limit_;
  const std::size_t limit_per_client_;
  std::mutex mutex_;
  std::size_t total_ = 0;
  std::map<asio::ip::address, std::size_t> by_client_;
};

}  // namespace

class Server::Impl : public std::enable_shared_from_this<Server::Impl> {
 public:
  Impl(ServerOptions options, const std::vector<asio::any_io_executor>& workers)
      : options_(std::move(options)),
        tls_(options_.tls, internal::TlsContext::Side::kServer),
        connections_(options_.max_connections, options_.max_connections_per_client) {
    for (const auto& executor : workers) {
      workers_.emplace_back(workers_.size(), executor);
    }
  }

  void Start(tcp::acceptor acceptor, std::vector<Method> methods) {
    AddHealth();
    for (Method& method : methods) Add(std::move(method));
    asio::co_spawn(workers_.front().executor, Accept(shared_from_this(), std::move(acceptor)),
                   MustNotFail);
  }

  void SetServing(bool serving) {
    if (is_serving_.exchange(serving) == serving) return;
    for (Worker& worker : workers_) {
      asio::post(worker.executor, [self = shared_from_this(), &worker] {
        for (ServerCall* call : worker.health_watchers) call->Wake();
      });
    }
  }

  void Shutdown(std::chrono::milliseconds grace) {
    SetServing(false);
    asio::post(workers_.front().executor, asio::use_future([this] {
                 boost::system::error_code ignored;
                 if (acceptor_ != nullptr) acceptor_->close(ignored);
               }))
        .get();
    std::vector<std::future<void>> stopped;
    for (Worker& worker : workers_) {
      stopped.push_back(asio::co_spawn(worker.executor, Stop(shared_from_this(), worker, grace),
                                       asio::use_future));
    }
    for (std::future<void>& worker : stopped) worker.get();
  }

 private:
  struct Worker {
    Worker(std::size_t its_number, asio::any_io_executor its_executor)
        : number(its_number), executor(std::move(its_executor)) {}

    const std::size_t number;
    const asio::any_io_executor executor;
    std::atomic<std::size_t> connection_count = 0;
    // These are used only on the worker's thread.
    std::unordered_set<ServerConnection*> connections;
    std::unordered_set<ServerCall*> health_watchers;
    bool is_stopping = false;
  };

  struct ServedMethod {
    Method method;
    std::atomic<std::size_t> open = 0;
  };

  // The acceptor belongs to the first worker's event loop, like this coroutine.
  static Task<void> Accept(std::shared_ptr<Impl> self, tcp::acceptor acceptor) {
    self->acceptor_ = &acceptor;
    asio::steady_timer pause(acceptor.get_executor());
    while (acceptor.is_open()) {
      Worker& worker = *std::ranges::min_element(self->workers_, {}, [](const Worker& candidate) {
        return candidate.connection_count.load();
      });
      tcp::socket socket(worker.executor);
      const auto [error] = co_await acceptor.async_accept(socket, kAwait);
      if (error == asio::error::operation_aborted) break;
      if (error) {
        // The usual cause is a lack of descriptors, so wait for some to be closed.
        log::Warning("cannot accept a gRPC connection", {{"error", error.message()}});
        pause.expires_after(kAcceptPause);
        co_await pause.async_wait(kAwait);
      } else {
        self->Admit(worker, std::move(socket));
      }
    }
    self->acceptor_ = nullptr;
  }

  void Admit(Worker& worker, tcp::socket socket) {
    boost::system::error_code error;
    const auto peer = socket.remote_endpoint(error);
    if (error) return;
    auto place = connections_.Enter(peer.address());
    if (!place) {
      LogRefusal(peer.address());
      return;
    }
    socket.set_option(tcp::no_delay(true), error);
    socket.set_option(UserTimeout(static_cast<int>(options_.keepalive_timeout.count())), error);
    ++worker.connection_count;
    asio::co_spawn(worker.executor,
                   Serve(shared_from_this(), worker, std::move(socket), *std::move(place)),
                   internal::LogFailure);
  }

  // Logs one line a second at most, because there may be many refusals.
  void LogRefusal(const asio::ip::address& client) {
    const auto now = std::chrono::steady_clock::now();
    if (now < next_refusal_line_) return;
    next_refusal_line_ = now + std::chrono::seconds{1};
    log::Warning("gRPC connections refused", {{"client", client.to_string()}});
  }

  static Task<void> Serve(std::shared_ptr<Impl> self, Worker& worker, tcp::socket socket,
                          [[maybe_unused]] ConnectionCount::Place place) {
    struct Count {
      Worker& worker;
      ~Count() { --worker.connection_count; }
    } const count{worker};
    const auto connection = self->MakeConnection(worker, std::move(socket));
    struct Registration {
      Worker& worker;
      ServerConnection* connection;
      Registration(Worker& of, ServerConnection* registered) : worker(of), connection(registered) {
        worker.connections.insert(connection);
      }
      ~Registration() { worker.connections.erase(connection); }
    } const registration(worker, connection.get());
    if (worker.is_stopping) co_return;
    connection->LimitTime(self->options_.handshake_timeout);
    if (const auto error = co_await connection->Handshake()) {
      log::Warning("gRPC handshake failed", {{"reason", error.message()}});
    } else if (self->IsKnown(*connection)) {
      const auto age = self->options_.max_connection_age;
      connection->LimitAge(RandomDuration(age * 9 / 10, age * 11 / 10),
                           self->options_.max_connection_age_grace);
      co_await connection->Run();
    }
  }

  std::shared_ptr<ServerConnection> MakeConnection(Worker& worker, tcp::socket socket) {
    auto context = tls_.Get();
    internal::TlsStream stream(std::move(socket), *context);
    return std::make_shared<ServerConnection>(
        std::move(context), std::move(stream),
        internal::ConnectionOptions{.is_server = true,
                                    .max_concurrent_streams = options_.max_concurrent_streams,
                                    .keepalive_time = options_.keepalive_time,
                                    .keepalive_timeout = options_.keepalive_timeout,
                                    .pings_without_streams = true},
        budget_,
        ServerConnection::Options{
            .worker = worker.number,
            .max_message_bytes = options_.max_message_bytes,
            .serve = [this](const std::shared_ptr<ServerCall>& call) { ServeCall(call); }});
  }

  bool IsKnown(ServerConnection& connection) const {
    if (options_.client_names.empty()) return true;
    const auto names = internal::PeerNames(connection.tls().native_handle());
    const bool is_known = std::ranges::any_of(names, [this](const std::string& name) {
      return std::ranges::find(options_.client_names, name) != options_.client_names.end();
    });
    if (!is_known) {
      log::Warning("gRPC client refused", {{"name", names.empty() ? "" : names.front()}});
    }
    return is_known;
  }

  void ServeCall(const std::shared_ptr<ServerCall>& call) {
    const auto found = methods_.find(call->path_);
    if (found == methods_.end()) {
      call->Finish({StatusCode::kUnimplemented, "The method is not known"});
      return;
    }
    asio::co_spawn(workers_[call->worker()].executor,
                   RunCall(shared_from_this(), found->second, call), asio::detached);
  }

  static Task<void> RunCall([[maybe_unused]] std::shared_ptr<Impl> self, ServedMethod& served,
                            std::shared_ptr<ServerCall> call) {
    struct Open {
      ServedMethod& served;
      const std::size_t before = served.open.fetch_add(1);
      ~Open() { served.open.fetch_sub(1); }
    } const open{served};
    Status status;
    if (open.before >= served.method.max_calls) {
      status = {StatusCode::kResourceExhausted, "Too many open calls"};
    } else {
      try {
        call->BeginServing(served.method.is_streaming);
        status = co_await served.method.serve(*call);
      } catch (const std::exception& fault) {
        log::Error("gRPC call failed", {{"method", served.method.path}, {"reason", fault.what()}});
        status = {StatusCode::kInternal, "Internal error"};
      }
    }
    call->Finish(std::move(status));
  }

  static Task<void> Stop([[maybe_unused]] std::shared_ptr<Impl> self, Worker& worker,
                         std::chrono::milliseconds grace) {
    worker.is_stopping = true;
    // Copies, because a connection may end at once.
    const auto each = [&](auto use) {
      std::vector<std::shared_ptr<internal::Connection>> all;
      for (ServerConnection* connection : worker.connections) {
        all.push_back(connection->shared_from_this());
      }
      for (const auto& connection : all) use(static_cast<ServerConnection&>(*connection));
    };
    each([](ServerConnection& connection) { connection.Drain(); });
    const auto deadline = std::chrono::steady_clock::now() + grace;
    asio::steady_timer timer(worker.executor);
    while (!worker.connections.empty() && std::chrono::steady_clock::now() < deadline) {
      timer.expires_after(kStopCheckInterval);
      co_await timer.async_wait(kAwait);
    }
    each([](ServerConnection& connection) { connection.Close(); });
    while (!worker.connections.empty()) {
      timer.expires_after(kStopCheckInterval);
      co_await timer.async_wait(kAwait);
    }
  }

  void Add(Method method) {
    std::string path = method.path;
    methods_[std::move(path)].method = std::move(method);
  }

  void AddHealth() {
    Add(Unary<HealthCheckRequest, HealthCheckResponse>(
        "/grpc.health.v1.Health/Check", kMaxHealthCalls,
        [this](ServerCall&, const HealthCheckRequest& request)
            -> Task<std::expected<HealthCheckResponse, Status>> {
          if (!request.service().empty()) {
            co_return std::unexpected(Status{StatusCode::kNotFound, "The service is not known"});
          }
          HealthCheckResponse response;
          response.set_status(Health(request));
          co_return response;
        }));
    Add({.path = "/grpc.health.v1.Health/Watch",
         .max_calls = kMaxHealthCalls,
         .serve = [this](ServerCall& call) { return WatchHealth(call); },
         .is_streaming = true});
  }

  HealthCheckResponse::ServingStatus Health(const HealthCheckRequest& request) const {
    if (!request.service().empty()) return HealthCheckResponse::SERVICE_UNKNOWN;
    return is_serving_ ? HealthCheckResponse::SERVING : HealthCheckResponse::NOT_SERVING;
  }

  Task<Status> WatchHealth(ServerCall& call) {
    const auto bytes = co_await call.Read();
    HealthCheckRequest request;
    if (!bytes || !request.ParseFromString(*bytes)) {
      co_return Status{StatusCode::kInternal, "The message cannot be parsed"};
    }
    struct Watching {
      std::unordered_set<ServerCall*>& watchers;
      ServerCall* call;
      Watching(std::unordered_set<ServerCall*>& all, ServerCall* watching)
          : watchers(all), call(watching) {
        watchers.insert(call);
      }
      ~Watching() { watchers.erase(call); }
    } const watching(workers_[call.worker()].health_watchers, &call);
    std::optional<HealthCheckResponse::ServingStatus> sent;
    while (!call.is_closed() && !call.is_shutting_down()) {
      const auto status = Health(request);
      if (sent == status) {
        co_await call.Wait(std::chrono::hours{1});
        continue;
      }
      HealthCheckResponse response;
      response.set_status(status);
      co_await call.SendAndWait(response);
      sent = status;
    }
    co_return Status{StatusCode::kUnavailable, "Shutting down"};
  }

  const ServerOptions options_;
  internal::TlsContext tls_;
  const std::shared_ptr<internal::ReceiveBudget> budget_ =
      std::make_shared<internal::ReceiveBudget>(options_.max_received_bytes);
  std::map<std::string, ServedMethod, std::less<>> methods_;
  ConnectionCount connections_;
  tcp::acceptor* acceptor_ = nullptr;  // Used only on the first worker's thread.
  std::deque<Worker> workers_;
  std::atomic<bool> is_serving_ = true;
  std::chrono::steady_clock::time_point next_refusal_line_;
};

Server::Server(ServerOptions options, std::vector<asio::any_io_executor> workers)
    : options_(std::move(options)), workers_(std::move(workers)) {}

Server::~Server() = default;

std::expected<std::uint16_t, std::string> Server::Start(std::vector<Method> methods) {
  if (auto checked = CheckTlsFiles(options_.tls); !checked) {
    return std::unexpected(std::move(checked).error());
  }
  boost::system::error_code error;
  const auto address = asio::ip::make_address(options_.address, error);
  if (error) {
    return std::unexpected("cannot listen on \"" + options_.address + "\": not an IP address");
  }
  const tcp::endpoint endpoint(address, options_.port);
  tcp::acceptor acceptor(workers_.front());
  try {
    acceptor.open(endpoint.protocol());
    acceptor.set_option(tcp::acceptor::reuse_address(true));
    acceptor.bind(endpoint);
    acceptor.listen();
  } catch (const boost::system::system_error& failure) {
    return std::unexpected("cannot listen on " + ToString(endpoint) + ": " +
                           failure.code().message());
  }
  const std::uint16_t port = acceptor.local_endpoint().port();
  impl_ = std::make_shared<Impl>(options_, workers_);
  impl_->Start(std::move(acceptor), std::move(methods));
  return port;
}

void Server::SetServing(bool serving) {
  if (impl_ != nullptr) impl_->SetServing(serving);
}

void Server::Shutdown(std::chrono::milliseconds grace) {
  if (impl_ != nullptr) std::exchange(impl_, nullptr)->Shutdown(grace);
}

}  // namespace platform::grpc
