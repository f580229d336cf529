#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "platform/postgres/client.h"
#include "platform/postgres/settings.h"
#include "platform/postgres/statement.h"

struct pg_conn;

// The parts of libpq that need no event loop.
namespace platform::postgres::internal {

struct Finish {
  void operator()(pg_conn* connection) const;
};
using Session = std::unique_ptr<pg_conn, Finish>;

// Whether the host of the settings is a name that has to be resolved first (libpq would block).
bool NeedsResolving(const std::string& host);

// Begins to connect without blocking; `addresses` are what the host resolved to, tried in order.
// Only sessions of the write lane can write. Null when out of memory; else see PQstatus.
Session StartConnecting(const Settings& settings, const std::vector<std::string>& addresses,
                        const ClientOptions& options, Lane lane);

// libpq's last error on one line.
std::string LastError(const pg_conn* connection);

// What a failed result says; `fatal` is set where the server ended the session with it.
QueryError ErrorOf(const pg_result* result, bool& fatal);

}  // namespace platform::postgres::internal
