#include "platform/grpc/channel.h"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <deque>
#include <exception>
#include <random>
#include <utility>
#include <vector>

#include "platform/base/random_duration.h"
#include "platform/grpc/client_connection.h"
#include "platform/grpc/tls_context.h"
#include "platform/log/log.h"

namespace platform::grpc {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using internal::ClientConnection;

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);
// The bytes of responses that wait to be read. Readers of a client are bounded by what they ask
// for.
constexpr std::size_t kMaxReceivedBytes = std::size_t{16} << 20;
// Pause between two look-ups of the name.
constexpr std::chrono::seconds kLookUpPause{1};

}  // namespace

class Channel::Impl : public std::enable_shared_from_this<Channel::Impl> {
 public:
  Impl(asio::any_io_executor executor, ChannelOptions options)
      : executor_(std::move(executor)),
        options_(std::move(options)),
        tls_(options_.tls, internal::TlsContext::Side::kClient),
        resolver_(executor_),
        // A random first one, so that not all clients begin with the same replica.
        turn_(std::random_device{}()) {}

  std::shared_ptr<ClientCall> Start(std::string path, Metadata metadata,
                                    std::optional<std::chrono::milliseconds> timeout) {
    const std::shared_ptr<ClientCall> call(new ClientCall(
        executor_, std::move(path), std::move(metadata), timeout, options_.max_message_bytes));
    call->WatchDeadline();
    if (!std::exchange(is_started_, true)) LookUp();
    if (ClientConnection* const connection = Next()) {
      connection->Open(call);
    } else if (MayBecomeReady()) {
      waiting_.push_back(call);
    } else {
      call->Fail({StatusCode::kUnavailable, "There is no connection"});
    }
    return call;
  }

  bool IsConnected() const {
    return std::ranges::any_of(addresses_, [](const auto& address) { return address->IsReady(); });
  }

  void Close() {
    is_closed_ = true;
    resolver_.cancel();
    for (const auto& address : std::exchange(addresses_, {})) address->Remove(/*cut=*/true);
    FailWaiting();
  }

 private:
  using State = ClientConnection::State;

  // One address of a host.
  struct Address : std::enable_shared_from_this<Address> {
    Address(const asio::any_io_executor& executor, std::string its_host, tcp::endpoint its_endpoint)
        : host(std::move(its_host)), endpoint(std::move(its_endpoint)), changed(executor) {}

    // Leaves the address. Calls that are open go on, unless `cut`.
    void Remove(bool cut) {
      is_removed = true;
      if (connection != nullptr && (cut || connection->state() == State::kConnecting)) {
        connection->Close();
      } else if (connection != nullptr) {
        connection->Drain();
      }
      changed.cancel();
    }

    bool IsReady() const { return connection != nullptr && connection->state() == State::kReady; }

    const std::string host;
    const tcp::endpoint endpoint;
    std::shared_ptr<ClientConnection> connection;  // Null before the first one.
    bool has_failed = false;                       // The latest attempt to connect has failed.
    bool is_removed = false;
    asio::steady_timer changed;  // Cancelled at a change of the connection's state.
  };

  // Returns the next connection that is ready, in turn; null if there is none.
  ClientConnection* Next() {
    for (std::size_t i = 0; i < addresses_.size(); ++i) {
      const auto& address = addresses_[++turn_ % addresses_.size()];
      if (address->IsReady()) return address->connection.get();
    }
    return nullptr;
  }

  // Returns whether a connection is being made, and not after a failure.
  bool MayBecomeReady() const {
    return is_looking_up_first_ || std::ranges::any_of(addresses_, [](const auto& address) {
             return !address->has_failed;
           });
  }

  void OpenWaiting() {
    for (const auto& call : std::exchange(waiting_, {})) {
      if (call->is_closed()) continue;
      if (ClientConnection* const connection = Next()) {
        connection->Open(call);
      } else {
        waiting_.push_back(call);
      }
    }
  }

  void FailWaiting() {
    if (!is_closed_ && MayBecomeReady()) return;
    for (const auto& call : std::exchange(waiting_, {})) {
      call->Fail({StatusCode::kUnavailable, "There is no connection"});
    }
  }

  // Looks up the names soon, unless that is already being done.
  void LookUp() {
    if (is_closed_ || std::exchange(is_looking_up_, true)) return;
    asio::co_spawn(executor_, LookUpAll(shared_from_this()), internal::LogFailure);
  }

  static Task<void> LookUpAll(std::shared_ptr<Impl> self) {
    asio::steady_timer pause(self->executor_, self->next_look_up_);
    co_await pause.async_wait(kAwait);
    while (!self->is_closed_) {
      bool have_all_succeeded = true;
      for (const HostAndPort& host : self->options_.hosts) {
        have_all_succeeded = co_await self->LookUpHost(host) && have_all_succeeded;
        if (self->is_closed_) co_return;
      }
      self->is_looking_up_first_ = false;
      self->FailWaiting();
      self->next_look_up_ = std::chrono::steady_clock::now() + kLookUpPause;
      if (have_all_succeeded) break;
      pause.expires_at(self->next_look_up_);
      co_await pause.async_wait(kAwait);
    }
    self->is_looking_up_ = false;
  }

  // Returns whether the look-up has succeeded. Otherwise the addresses that are known stay in use.
  Task<bool> LookUpHost(const HostAndPort& host) {
    const auto [error, results] =
        co_await resolver_.async_resolve(host.host, std::to_string(host.port), kAwait);
    if (is_closed_) co_return false;
    if (error) {
      log::Warning("cannot look up the name of a gRPC server",
                   {{"host", host.host}, {"reason", error.message()}});
      co_return false;
    }
    std::vector<tcp::endpoint> endpoints;
    for (const auto& result : results) endpoints.push_back(result.endpoint());
    Use(host, endpoints);
    co_return true;
  }

  // Connects to a host's addresses that are new, and leaves those that are no longer there.
  void Use(const HostAndPort& host, const std::vector<tcp::endpoint>& endpoints) {
    std::erase_if(addresses_, [&](const auto& address) {
      if (address->host != host.host || address->endpoint.port() != host.port ||
          std::ranges::find(endpoints, address->endpoint) != endpoints.end()) {
        return false;
      }
      address->Remove(/*cut=*/false);
      return true;
    });
    for (const tcp::endpoint& endpoint : endpoints) {
      const bool is_known = std::ranges::any_of(addresses_, [&](const auto& address) {
        return address->host == host.host && address->endpoint == endpoint;
      });
      if (is_known) continue;
      const auto& address =
          addresses_.emplace_back(std::make_shared<Address>(executor_, host.host, endpoint));
      asio::co_spawn(executor_, KeepConnected(shared_from_this(), address), internal::LogFailure);
    }
  }

  // Keeps a connection to an address, until it is removed.
  static Task<void> KeepConnected(std::shared_ptr<Impl> self, std::shared_ptr<Address> address) {
    auto backoff = self->options_.min_backoff;
    while (!address->is_removed) {
      const auto began = std::chrono::steady_clock::now();
      if (co_await self->Connect(*address)) {
        backoff = self->options_.min_backoff;
        self->last_failure_.clear();
        self->OpenWaiting();
        co_await self->WaitWhile(*address, State::kReady);
        self->LookUp();
        // A server that has just been connected to gets a pause.
        if (std::chrono::steady_clock::now() - began > self->options_.max_backoff) continue;
      } else if (!address->is_removed) {
        address->has_failed = true;
        self->FailWaiting();
        self->LookUp();
      }
      if (address->is_removed) break;
      address->changed.expires_after(RandomDuration(backoff / 2, backoff));
      co_await address->changed.async_wait(kAwait);
      backoff = std::min(backoff * 2, self->options_.max_backoff);
    }
  }

  // Makes a connection. Returns whether it is ready.
  Task<bool> Connect(Address& address) {
    const auto connection = MakeConnection(address.host);
    address.connection = connection;
    const auto error = co_await connection->Connect(address.endpoint, options_.connect_timeout);
    if (error) {
      NoteFailure(address, error);
      co_return false;
    }
    connection->OnChange([weak = std::weak_ptr(address.shared_from_this())] {
      if (const auto changed = weak.lock()) changed->changed.cancel();
    });
    asio::co_spawn(executor_, connection->Run(), internal::LogFailure);
    co_await WaitWhile(address, State::kConnecting);
    if (!address.IsReady()) NoteFailure(address, connection->error());
    address.has_failed = !address.IsReady();
    co_return address.IsReady();
  }

  // Waits for the end of a state of the address's connection. Connecting may not take longer than
  // its limit.
  Task<void> WaitWhile(Address& address, State state) {
    const auto connection = address.connection;
    while (connection->state() == state && !address.is_removed) {
      if (state == State::kConnecting) {
        address.changed.expires_after(options_.connect_timeout);
      } else {
        address.changed.expires_at(std::chrono::steady_clock::time_point::max());
      }
      const auto [error] = co_await address.changed.async_wait(kAwait);
      if (!error && connection->state() == State::kConnecting) connection->Close();
    }
  }

  std::shared_ptr<ClientConnection> MakeConnection(const std::string& host) {
    auto context = tls_.Get();
    internal::TlsStream stream(executor_, *context);
    return std::make_shared<ClientConnection>(
        std::move(context), std::move(stream),
        internal::ConnectionOptions{.keepalive_time = options_.keepalive_time,
                                    .keepalive_timeout = options_.keepalive_timeout},
        budget_, host);
  }

  // Logs why it cannot connect, once for each reason in a row.
  void NoteFailure(const Address& address, const boost::system::error_code& error) {
    if (std::exchange(last_failure_, error.message()) == error.message()) return;
    log::Info("cannot connect to a gRPC server",
              {{"host", address.host},
               {"address", address.endpoint.address().to_string()},
               {"reason", error.message()}});
  }

  const asio::any_io_executor executor_;
  const ChannelOptions options_;
  internal::TlsContext tls_;
  const std::shared_ptr<internal::ReceiveBudget> budget_ =
      std::make_shared<internal::ReceiveBudget>(kMaxReceivedBytes);
  tcp::resolver resolver_;
  std::vector<std::shared_ptr<Address>> addresses_;
  std::deque<std::shared_ptr<ClientCall>> waiting_;  // For a connection.
  std::size_t turn_;
  std::chrono::steady_clock::time_point next_look_up_;
  std::string last_failure_;
  bool is_started_ = false;
  bool is_looking_up_ = false;
  bool is_looking_up_first_ = true;
  bool is_closed_ = false;
};

Channel::Channel(const asio::any_io_executor& executor, ChannelOptions options)
    : impl_(std::make_shared<Impl>(executor, std::move(options))) {}

Channel::~Channel() { impl_->Close(); }

bool Channel::IsConnected() const { return impl_->IsConnected(); }

std::shared_ptr<ClientCall> Channel::Start(std::string path, Metadata metadata,
                                           std::optional<std::chrono::milliseconds> timeout) {
  return impl_->Start(std::move(path), std::move(metadata), timeout);
}

}  // namespace platform::grpc
