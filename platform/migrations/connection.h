#pragma once

#include <chrono>
#include <cstddef>
#include <expected>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "platform/postgres/settings.h"

struct pg_conn;

namespace platform::migrations {

// The server's error for a statement, or libpq's for a lost connection (then without sqlstate).
struct SqlError {
  std::string sqlstate;
  std::string message;
  std::string detail;
  std::string hint;
  std::string context;   // The place in a function or DO block.
  std::size_t line = 0;  // Line of the SQL text, from 1; 0 if the server named none.
  // The statement has succeeded and was committed, but no synchronous standby has confirmed it, so
  // a failover may lose it. There is no sqlstate.
  bool is_unconfirmed = false;
};

struct SqlResult {
  // Rows of the last statement that returned any; a NULL is an empty text.
  std::vector<std::vector<std::string>> rows;
  std::size_t inserted = 0;  // Rows inserted by all INSERT statements.
};

// A blocking connection for a command of an operator, such as a migration run. Statements run to
// their end, however long they take. `warn` receives the server's notices and warnings.
class Connection {
 public:
  using Warn = std::function<void(std::string_view)>;

  struct OpenError {
    std::string message;
    bool not_up_yet = false;  // Nothing answers there, or the server is still starting.
  };

  // Gives up after `timeout`.
  static std::expected<Connection, OpenError> Open(
      const postgres::Settings& settings, std::chrono::seconds timeout, const Warn& warn,
      const std::string& application_name = "microcart-migrate");

  // Runs `sql`: a script of any number of statements, or one statement in which $1, $2, … stand for
  // `parameters`. Stops at the first error.
  std::expected<SqlResult, SqlError> Run(const std::string& sql,
                                         std::initializer_list<std::string> parameters = {});

  // Runs a `COPY … FROM STDIN` with the chunks that `next` returns, until it returns nothing.
  std::expected<void, SqlError> CopyIn(
      const std::string& sql, const std::function<std::optional<std::string_view>()>& next);
  // Runs a `COPY … TO STDOUT`, and calls `take` with each row.
  std::expected<void, SqlError> CopyOut(const std::string& sql,
                                        const std::function<void(std::string_view)>& take);

  // Returns whether the connection is inside a transaction that has not failed.
  bool in_transaction() const;

 private:
  struct Close {
    void operator()(pg_conn* connection) const;
  };

  // On the heap, because libpq keeps a pointer to it.
  struct Notices {
    Warn warn;
    bool is_unconfirmed = false;  // The commit of the present statement.
  };

  // Returns the error of a statement that has succeeded, if its commit is unconfirmed.
  std::expected<void, SqlError> Confirm();

  std::unique_ptr<Notices> notices_;
  std::unique_ptr<pg_conn, Close> connection_;
};

}  // namespace platform::migrations
