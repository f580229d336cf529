#include "platform/postgres/client.h"

#include <algorithm>
#include <array>
#include <boost/asio/async_result.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <ranges>
#include <stdexcept>

#include "platform/postgres/connection.h"

namespace platform::postgres {

namespace asio = boost::asio;
using internal::Connection;

class Client::Impl {
 public:
  Impl(const asio::any_io_executor& executor, Settings settings, ClientOptions options)
      : shared_(
            std::make_shared<internal::Configuration>(std::move(settings), std::move(options))) {
    for (const Lane lane : {Lane::kKeyRead, Lane::kWrite, Lane::kSearch}) {
      const std::size_t count = shared_->OptionsOf(lane).connections;
      if (count == 0) {
        throw std::invalid_argument("postgres: each lane needs a connection");
      }
      for (std::size_t i = 0; i < count; ++i) {
        Of(lane).push_back(std::make_shared<Connection>(executor, shared_, lane));
        Of(lane).back()->Open();
      }
    }
  }

  ~Impl() {
    for (const auto& connection : lanes_ | std::views::join) {
      connection->Close();
    }
  }

  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  // The connection of the lane that will answer first: up before coming up before down, then the
  // least loaded.
  Connection& Pick(Lane lane) {
    return **std::ranges::min_element(Of(lane), {}, [](const auto& connection) {
      return std::pair(Rank(connection->state()), connection->load());
    });
  }

  const ClientMetrics& metrics() const { return *shared_->metrics; }

  bool connected() const {
    return std::ranges::all_of(lanes_, [](const Connections& lane) {
      return std::ranges::any_of(lane, [](const auto& connection) {
        return connection->state() == Connection::State::kUp;
      });
    });
  }

 private:
  using Connections = std::vector<std::shared_ptr<Connection>>;

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

  Connections& Of(Lane lane) { return lanes_.at(static_cast<std::size_t>(lane)); }

  std::shared_ptr<const internal::Configuration> shared_;
  std::array<Connections, kLaneCount> lanes_;
};

Client::Client(const asio::any_io_executor& executor, Settings settings, ClientOptions options)
    : impl_(std::make_unique<Impl>(executor, std::move(settings), std::move(options))) {}

Client::~Client() = default;

bool Client::connected() const { return impl_->connected(); }

const ClientMetrics& Client::metrics() const { return impl_->metrics(); }

Task<std::expected<std::size_t, QueryError>> Client::Count(internal::Operation operation) {
  co_await Run(operation);
  CO_RETURN_IF_ERROR(operation.result);
  co_return operation.result->affected();
}

Task<void> Client::Run(internal::Operation& operation) {
  return asio::async_initiate<const asio::use_awaitable_t<>&, void()>(
      [this, &operation](auto handler) {
        operation.resume = [handler = std::move(handler)] mutable {
          asio::dispatch(std::move(handler));
        };
        impl_->Pick(operation.lane).Start(operation);
      },
      asio::use_awaitable);
}

}  // namespace platform::postgres
