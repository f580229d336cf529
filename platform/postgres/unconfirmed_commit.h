#pragma once

#include <string_view>

struct pg_result;

namespace platform::postgres {

// Returns whether the server's notice says that it has stopped to wait for its synchronous standby,
// because somebody has cancelled the statement. The transaction is committed on this server, and
// lost if the standby takes over before it has received it. The server then reports success, so
// this notice, which arrives before the end of the statement's answer, is the only sign.
//
// It arrives only if client_min_messages is `warning` or lower.
bool ReportsUnconfirmedCommit(const pg_result* notice);

// For errors of statements whose commit is unconfirmed.
inline constexpr std::string_view kUnconfirmedCommit =
    "committed, but not confirmed by a synchronous standby: a failover may lose it";

}  // namespace platform::postgres
