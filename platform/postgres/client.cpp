#include "platform/postgres/client.h"

#include <algorithm>
#include <array>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <ranges>
#include <stdexcept>

#include "platform/postgres/connection.h"
#include "platform/trace/traced_executor.h"

namespace platform::postgres {

namespace asio = boost::asio;
using internal::Connection;

namespace {

// Records the span of calls of one statement, from their start until their answers, under each of
// its parents. The statement is named, and neither its text nor its parameters are shown.
void RecordStatement(const trace::Parents& parents, trace::SpanClock::time_point start,
                     std::span<const internal::Operation> operations) {
  const auto end = trace::SpanClock::now();
  const auto failed = std::ranges::find_if(operations, [](const auto& one) { return !one.result; });
  const internal::Operation& operation = failed == operations.end() ? operations.front() : *failed;
  std::optional<std::string_view> error;
  if (!operation.result) error = TypeOf(operation.result.error());
  for (const trace::TraceContext& parent : parents.spans) {
    parents.tracer.Record({.context = parent.NewSpan(),
                           .parent_id = parent.span_id(),
                           .kind = trace::SpanKind::kClient,
                           .name = operation.name,
                           .start = start,
                           .end = end,
                           .is_failed = !operation.result},
                          {{"db.system.name", "postgresql"},
                           {"db.query.summary", operation.name},
                           {"error.type", error}});
  }
}

}  // namespace

class Client::Impl {
 public:
  Impl(asio::any_io_executor executor, Settings settings, ClientOptions options)
      : executor_(std::move(executor)),
        shared_(
            std::make_shared<internal::Configuration>(std::move(settings), std::move(options))) {
    for (const Lane lane : kLanes) {
      if (shared_->OptionsOf(lane).connections == 0) {
        throw std::invalid_argument("postgres: each lane needs a connection");
      }
      Open(lane);
    }
    OpenRestLater();
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

  static constexpr std::array kLanes{Lane::kKeyRead, Lane::kWrite, Lane::kSearch};
  static constexpr std::chrono::milliseconds kRestPause{100};

  // Opens the connections beyond the first of each lane when those are up, after a pause. A login
  // takes milliseconds of CPU time at both ends (SCRAM), in which a service that starts can already
  // become ready.
  void OpenRestLater() {
    rest_.expires_after(kRestPause);
    rest_.async_wait([this](boost::system::error_code error) {
      if (error) return;
      if (!connected()) return OpenRestLater();
      for (const Lane lane : kLanes) {
        while (Of(lane).size() < shared_->OptionsOf(lane).connections) Open(lane);
      }
    });
  }

  void Open(Lane lane) {
    Of(lane).push_back(std::make_shared<Connection>(executor_, shared_, lane));
    Of(lane).back()->Open();
  }

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

  asio::any_io_executor executor_;
  asio::steady_timer rest_{executor_};
  std::shared_ptr<const internal::Configuration> shared_;
  std::array<Connections, kLaneCount> lanes_;
};

Client::Client(const asio::any_io_executor& executor, Settings settings, ClientOptions options)
    : impl_(std::make_unique<Impl>(executor, std::move(settings), std::move(options))) {}

Client::~Client() = default;

bool Client::connected() const { return impl_->connected(); }

const ClientMetrics& Client::metrics() const { return impl_->metrics(); }

Task<std::expected<std::size_t, QueryError>> Client::Count(internal::Operation operation) {
  co_await Run({&operation, 1});
  CO_RETURN_IF_ERROR(operation.result);
  co_return operation.result->affected();
}

Task<void> Client::Run(std::span<internal::Operation> operations) {
  internal::Caller caller{.waiting = operations.size()};
  co_await asio::async_initiate<const asio::use_awaitable_t<>&, void()>(
      [&](auto handler) {
        if (auto parents = trace::ParentsOf(asio::get_associated_executor(handler))) {
          caller.resume = [operations, parents = std::move(parents),
                           start = trace::SpanClock::now(), handler = std::move(handler)] mutable {
            RecordStatement(*parents, start, operations);
            asio::dispatch(std::move(handler));
          };
        } else {
          caller.resume = [handler = std::move(handler)] mutable {
            asio::dispatch(std::move(handler));
          };
        }
        for (internal::Operation& operation : operations) {
          operation.caller = &caller;
          impl_->Pick(operation.lane).Start(operation);
        }
      },
      asio::use_awaitable);
}

}  // namespace platform::postgres
