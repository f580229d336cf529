#pragma once

#include <algorithm>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstddef>
#include <expected>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
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
  // Maximum number of calls of one connection that wait or are sent; one more is kOverloaded.
  std::size_t max_in_flight = 1024;
};

struct ClientOptions {
  // Many of these calls share a statement, so they are answered faster than others.
  LaneOptions key_reads{.max_in_flight = 8192};
  LaneOptions writes{.connections = 4, .max_in_flight = 512};
  // Each search may take long, so statements behind many of them would only time out.
  LaneOptions searches{.max_in_flight = 256};
  // Time from the call to the answer. The server's own statement_timeout is a little shorter, so
  // that a slow statement usually fails alone. A connection that brings nothing for this long is
  // given up.
  std::chrono::milliseconds deadline{3000};
  // Time for one attempt to connect: resolving the host's name, TCP, TLS, login.
  std::chrono::milliseconds connect_timeout{1000};
  // Pause between attempts to connect. It doubles up to the maximum, with jitter. After the server
  // has returned, calls fail at most for one attempt that leads nowhere and the pause after it.
  std::chrono::milliseconds initial_backoff{50};
  std::chrono::milliseconds max_backoff{500};
  std::string application_name = "microcart";
  // Callbacks for the log, called on the loop's thread. The texts contain no secret and no
  // parameter's value. They must not destroy the client or throw.
  // `on_connection` reports that a connection came up (true), was lost, or could not be made.
  std::function<void(bool up, std::string_view message)> on_connection;
  // Reports that a connection came up whose role is a superuser.
  std::function<void()> on_superuser;
  // Reports the server's notices and warnings.
  std::function<void(std::string_view message)> on_notice;
};

// A pipelined, asynchronous PostgreSQL client. It belongs to one event loop: construct it, call it
// and destroy it on that loop's thread. Many calls share few connections. Each call is one
// statement, except that reads by key that are made together share one (see KeyedStatement). An
// error affects only its own caller: a shared statement that fails is repeated for each of them.
//
// It connects by itself in the background and reconnects for ever. The first connection of each
// lane comes before the others. A call waits for a connection
// that is being made, within its deadline. When an attempt fails, all waiting calls fail with
// kUnavailable; new calls also fail, at once, until the next attempt.
//
// Arguments are read before the call returns its task, so they need not outlive it. A call is not
// cancelled, but it ends by its deadline. An answer that does not match `Row` (number of columns,
// their types, a NULL) throws std::runtime_error, because the statement's declaration is wrong.
//
// A call that misses its deadline fails alone; the connection stays as long as it brings any
// answers. A statement that timed out may still run on the server until its statement_timeout.
class Client {
 public:
  Client(const boost::asio::any_io_executor& executor, Settings settings,
         ClientOptions options = {});
  ~Client();  // Waiting calls fail with kUnavailable.
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // Returns all rows of the statement's answer.
  template <class Row, class... Params, class... Args>
  Task<std::expected<std::vector<Row>, QueryError>> Query(
      const Statement<Row, Params...>& statement, const Args&... args) {
    return FetchAll<Row>(internal::MakeOperation(statement, args...));
  }

  // Returns the first row, or nothing if there are no rows.
  template <class Row, class... Params, class... Args>
  Task<std::expected<std::optional<Row>, QueryError>> QueryOne(
      const Statement<Row, Params...>& statement, const Args&... args) {
    return FetchOne<Row>(internal::MakeOperation(statement, args...));
  }

  // The same for a read by key.
  template <class Row, class... Keys, class... Args>
  Task<std::expected<std::vector<Row>, QueryError>> Query(
      const KeyedStatement<Row, Keys...>& statement, const Args&... keys) {
    return FetchAll<Row>(internal::MakeOperation(statement, keys...));
  }
  template <class Row, class... Keys, class... Args>
  Task<std::expected<std::optional<Row>, QueryError>> QueryOne(
      const KeyedStatement<Row, Keys...>& statement, const Args&... keys) {
    return FetchOne<Row>(internal::MakeOperation(statement, keys...));
  }

  // Makes a call for each of these tuples of keys. Returns what QueryOne() returns for each, in
  // their order.
  template <class Row, class... Keys>
  Task<std::vector<std::expected<std::optional<Row>, QueryError>>> QueryOneOfEach(
      const KeyedStatement<Row, Keys...>& statement, const std::vector<std::tuple<Keys...>>& keys) {
    std::vector<internal::Operation> operations;
    operations.reserve(keys.size());
    for (const auto& each : keys) {
      operations.push_back(std::apply(
          [&](const Keys&... key) { return internal::MakeOperation(statement, key...); }, each));
    }
    return FetchOneOfEach<Row>(std::move(operations));
  }

  // Runs a statement that returns no rows. Returns the number of rows that it changed.
  template <class... Params, class... Args>
  Task<std::expected<std::size_t, QueryError>> Execute(const Statement<void, Params...>& statement,
                                                       const Args&... args) {
    return Count(internal::MakeOperation(statement, args...));
  }

  // Returns whether at least one connection of each lane is up.
  bool connected() const;

  // Returns metrics that live as long as the client. Call ReportTo on any thread.
  const ClientMetrics& metrics() const;

 private:
  class Impl;

  template <class Row>
  Task<std::expected<std::vector<Row>, QueryError>> FetchAll(internal::Operation operation) {
    co_await Run({&operation, 1});
    CO_RETURN_IF_ERROR(operation.result);
    co_return internal::Decode<Row>(*operation.result, operation.result->size());
  }

  template <class Row>
  Task<std::expected<std::optional<Row>, QueryError>> FetchOne(internal::Operation operation) {
    co_await Run({&operation, 1});
    co_return FirstRow<Row>(operation);
  }

  template <class Row>
  Task<std::vector<std::expected<std::optional<Row>, QueryError>>> FetchOneOfEach(
      std::vector<internal::Operation> operations) {
    if (!operations.empty()) co_await Run(operations);
    std::vector<std::expected<std::optional<Row>, QueryError>> rows;
    rows.reserve(operations.size());
    std::ranges::transform(operations, std::back_inserter(rows), FirstRow<Row>);
    co_return rows;
  }

  template <class Row>
  static std::expected<std::optional<Row>, QueryError> FirstRow(internal::Operation& operation) {
    if (!operation.result) return std::unexpected(std::move(operation.result).error());
    auto rows = internal::Decode<Row>(*operation.result, 1);
    if (rows.empty()) return std::nullopt;
    return std::move(rows.front());
  }

  Task<std::expected<std::size_t, QueryError>> Count(internal::Operation operation);

  // Ends when the results of all operations are set.
  Task<void> Run(std::span<internal::Operation> operations);

  std::unique_ptr<Impl> impl_;
};

}  // namespace platform::postgres
