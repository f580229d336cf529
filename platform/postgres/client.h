#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstddef>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "platform/base/task.h"
#include "platform/postgres/client_metrics.h"
#include "platform/postgres/operation.h"
#include "platform/postgres/query_error.h"
#include "platform/postgres/settings.h"
#include "platform/postgres/statement.h"

namespace platform::postgres {

struct LaneOptions {
  std::size_t connections = 1;  // At least one.
  // Statements sent or waiting per connection; one more is kOverloaded.
  std::size_t max_in_flight = 1024;
};

struct ClientOptions {
  LaneOptions key_reads;
  LaneOptions writes{.connections = 2};
  // Each may take long, so what waits behind many would only time out.
  LaneOptions searches{.max_in_flight = 256};
  // From the call to the answer. The server's own statement_timeout is set a little below, so that
  // a slow statement usually fails alone; a connection silent for that long is given up.
  std::chrono::milliseconds deadline{3000};
  // For one attempt: resolving the host's name, connecting, TLS, logging in.
  std::chrono::milliseconds connect_timeout{1000};
  // Between attempts to connect; doubles up to the maximum, with jitter. An attempt that leads
  // nowhere and the pause after it are the longest that calls fail once the server is back.
  std::chrono::milliseconds initial_backoff{50};
  std::chrono::milliseconds max_backoff{500};
  std::string application_name = "microcart";
  // For the log, called on the loop's thread; the texts hold no secret and no parameter's value.
  // They must not destroy the client, nor throw.
  // `on_connection` tells that a connection came up (true), was lost, or could not be made.
  std::function<void(bool up, std::string_view message)> on_connection;
  // The server's notices and warnings.
  std::function<void(std::string_view message)> on_notice;
};

// A pipelined, asynchronous PostgreSQL client. It belongs to one event loop: construct it, call it
// and destroy it on that loop's thread. Many calls share few connections, and reads by key of one
// turn of the loop a sync (see Lane); each call is a statement whose error hurts only its own
// caller.
//
// It connects by itself in the background and reconnects for ever. A call made while a connection
// is being made waits for it, within its deadline; when an attempt fails, all calls that wait fail
// with kUnavailable, and so do new ones, at once, until the next attempt.
//
// Arguments are read before the call returns its task, so they need not outlive it. A call is not
// cancelled, but it ends by its deadline. An answer that does not fit `Row` (number of columns,
// their types, a NULL) throws std::runtime_error: the statement's declaration is wrong.
//
// A deadline that passes fails its own call only; the connection stays as long as it answers at
// all. A statement that timed out may still run on the server, at most until its statement_timeout.
class Client {
 public:
  Client(const boost::asio::any_io_executor& executor, Settings settings,
         ClientOptions options = {});
  ~Client();  // Fails what is waiting with kUnavailable.
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // All rows of the statement's answer.
  template <class Row, class... Params, class... Args>
  Task<std::expected<std::vector<Row>, QueryError>> Query(
      const Statement<Row, Params...>& statement, const Args&... args) {
    return FetchAll<Row>(internal::MakeOperation(statement, args...));
  }

  // The first row, or nothing where there is none.
  template <class Row, class... Params, class... Args>
  Task<std::expected<std::optional<Row>, QueryError>> QueryOne(
      const Statement<Row, Params...>& statement, const Args&... args) {
    return FetchOne<Row>(internal::MakeOperation(statement, args...));
  }

  // For a statement without rows: how many it changed.
  template <class... Params, class... Args>
  Task<std::expected<std::size_t, QueryError>> Execute(const Statement<void, Params...>& statement,
                                                       const Args&... args) {
    return Count(internal::MakeOperation(statement, args...));
  }

  // At least one connection of each lane is up.
  bool connected() const;

  // As long as the client. Its ReportTo may be called from any thread.
  const ClientMetrics& metrics() const;

 private:
  class Impl;

  template <class Row>
  Task<std::expected<std::vector<Row>, QueryError>> FetchAll(internal::Operation operation) {
    co_await Run(operation);
    CO_RETURN_IF_ERROR(operation.result);
    co_return internal::Decode<Row>(*operation.result, operation.result->size());
  }

  template <class Row>
  Task<std::expected<std::optional<Row>, QueryError>> FetchOne(internal::Operation operation) {
    co_await Run(operation);
    CO_RETURN_IF_ERROR(operation.result);
    auto rows = internal::Decode<Row>(*operation.result, 1);
    if (rows.empty()) {
      co_return std::nullopt;
    }
    co_return std::move(rows.front());
  }

  Task<std::expected<std::size_t, QueryError>> Count(internal::Operation operation);

  // Ends when operation.result is there.
  Task<void> Run(internal::Operation& operation);

  std::unique_ptr<Impl> impl_;
};

}  // namespace platform::postgres
