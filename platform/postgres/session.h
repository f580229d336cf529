#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
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

// Settings of every session, as command-line options of the server's process.
inline constexpr std::string_view kSessionOptions = "-c timezone=UTC -c jit=off";

// Returns whether the host is a name that must be resolved first, because libpq would block.
bool NeedsResolving(const std::string& host);

// Starts to connect to `server`, one of the settings', without blocking. `addresses` are the
// resolved addresses of its host, tried in order. A server that accepts no writes is refused; only
// sessions of the write lane can write. Returns null if memory is short; otherwise see PQstatus.
Session StartConnecting(const Settings& settings, const Server& server,
                        const std::vector<std::string>& addresses, const ClientOptions& options,
                        Lane lane);

// Returns libpq's last error on one line.
std::string LastError(const pg_conn* connection);

// Returns the error of a failed result. Sets `fatal` if the server ended the session with it.
QueryError ErrorOf(const pg_result* result, bool& fatal);

}  // namespace platform::postgres::internal
