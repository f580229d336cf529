#include "platform/postgres/unconfirmed_commit.h"

#include <libpq-fe.h>

namespace platform::postgres {

bool ReportsUnconfirmedCommit(const pg_result* notice) {
  // The SQLSTATE is that of any warning, and the text depends on lc_messages.
  const char* function = PQresultErrorField(notice, PG_DIAG_SOURCE_FUNCTION);
  return function != nullptr && std::string_view(function) == "SyncRepWaitForLSN";
}

}  // namespace platform::postgres
