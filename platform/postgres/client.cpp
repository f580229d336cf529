#include "platform/postgres/client.h"

#include <algorithm>
#include <boost/asio/async_result.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <stdexcept>

#include "platform/postgres/connection.h"

namespace platform::postgres {

namespace asio = boost::asio;
using internal::Connection;

class Client::Impl {
 public:
  using Lane = std::vector<std::shared_ptr<Connection>>;

  Impl(const asio::any_io_executor& executor, Settings settings, ClientOptions options)
      : shared_(
            std::make_shared<internal::Configuration>(std::move(settings), std::move(options))) {
    if (shared_->options.fast_connections == 0 || shared_->options.slow_connections == 0) {
      throw std::invalid_argument("postgres: each lane needs a connection");
    }
    Open(executor, postgres::Lane::kFast, shared_->options.fast_connections, fast_);
    Open(executor, postgres::Lane::kSlow, shared_->options.slow_connections, slow_);
  }

  ~Impl() {
    for (const Lane* lane : {&fast_, &slow_}) {
      for (const auto& connection : *lane) {
        connection->Close();
      }
    }
  }

  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  // The connection of the lane that will answer first: up before coming up before down, then the
  // least loaded.
  Connection& Pick(postgres::Lane lane) const {
    const Lane& connections = lane == postgres::Lane::kFast ? fast_ : slow_;
    return **std::ranges::min_element(connections, {}, [](const auto& connection) {
      return std::pair(Rank(connection->state()), connection->load());
    });
  }

  const ClientMetrics& metrics() const { return *shared_->metrics; }

  bool connected() const {
    const auto up = [](const auto& connection) {
      return connection->state() == Connection::State::kUp;
    };
    return std::ranges::any_of(fast_, up) && std::ranges::any_of(slow_, up);
  }

 private:
  static int Rank(Connection::State state) {
    switch (state) {
      case Connection::State::kUp:
        return 0;
      case Connection::State::kConnecting:
        return 1;
      case Connection::State::kBackingOff:
      case Connection::State::kClosed:
        break;
    }
    return 2;
  }

  void Open(const asio::any_io_executor& executor, postgres::Lane lane, std::size_t count,
            Lane& connections) const {
    for (std::size_t i = 0; i < count; ++i) {
      connections.push_back(std::make_shared<Connection>(executor, shared_, lane));
      connections.back()->Open();
    }
  }

  std::shared_ptr<const internal::Configuration> shared_;
  Lane fast_;
  Lane slow_;
};

Client::Client(const asio::any_io_executor& executor, Settings settings, ClientOptions options)
    : impl_(std::make_unique<Impl>(executor, std::move(settings), std::move(options))) {}

Client::~Client() = default;

bool Client::connected() const { return impl_->connected(); }

const ClientMetrics& Client::metrics() const { return impl_->metrics(); }

Task<std::expected<std::size_t, QueryError>> Client::Count(internal::Operation operation) {
  co_await Run(operation);
  if (!operation.result) {
    co_return std::unexpected(std::move(operation.result).error());
  }
  co_return operation.result->affected();
}

Task<void> Client::Run(internal::Operation& operation) {
  return asio::async_initiate<const asio::use_awaitable_t<>&, void()>(
      [this, &operation](auto handler) {
        operation.resume = [handler = std::move(handler)]() mutable {
          asio::dispatch(std::move(handler));
        };
        impl_->Pick(operation.lane).Start(operation);
      },
      asio::use_awaitable);
}

}  // namespace platform::postgres
