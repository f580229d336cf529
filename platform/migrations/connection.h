#pragma once

#include <chrono>
#include <cstddef>
#include <expected>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "platform/postgres/settings.h"

struct pg_conn;

namespace platform::migrations {

// What the server said of a statement, or libpq of a lost connection (then without sqlstate).
struct SqlError {
  std::string sqlstate;
  std::string message;
  std::string detail;
  std::string hint;
  std::string context;   // Where in a function or DO block.
  std::size_t line = 0;  // Of the SQL text, from 1; 0 where the server named none.
};

struct SqlResult {
  // Of the last statement that gave rows; a NULL is an empty text.
  std::vector<std::vector<std::string>> rows;
  std::size_t inserted = 0;  // By all INSERT statements.
};

// A blocking connection for the short life of a migration run; requests run to their end, however
// long. Notices and warnings of the server go to `warn`.
class Connection {
 public:
  using Warn = std::function<void(std::string_view)>;

  struct OpenError {
    std::string message;
    bool not_up_yet = false;  // Nobody answers there, or the server still starts up.
  };

  // Gives up after `timeout`.
  static std::expected<Connection, OpenError> Open(const postgres::Settings& settings,
                                                   std::chrono::seconds timeout, const Warn& warn);

  // Runs `sql`: a script of any number of statements, or one statement with $1, $2, … standing for
  // `parameters`. Stops at the first error.
  std::expected<SqlResult, SqlError> Run(const std::string& sql,
                                         std::initializer_list<std::string> parameters = {});

  // Inside a transaction that has not failed.
  bool in_transaction() const;

 private:
  struct Close {
    void operator()(pg_conn* connection) const;
  };

  std::unique_ptr<Warn> warn_;  // On the heap: libpq keeps a pointer to it.
  std::unique_ptr<pg_conn, Close> connection_;
};

}  // namespace platform::migrations
