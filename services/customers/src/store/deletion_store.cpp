#include "services/customers/src/store/deletion_store.h"

#include <expected>

namespace customers {
namespace {

using platform::Error;
using platform::Result;
using platform::Task;
using platform::postgres::Lane;
using platform::postgres::Logged;
using platform::postgres::Statement;

// The deletion at the position itself is read too, to see whether it exists.
constexpr Statement<Deletion, std::int64_t, std::int32_t> kReadFrom{"read_deletions",
                                                                    Lane::kKeyRead, R"(
SELECT position, user_id
FROM deletions
WHERE position >= $1
ORDER BY position
LIMIT $2)"};

}  // namespace

Task<Result<std::vector<Deletion>>> DeletionStore::ReadAfter(std::int64_t position) {
  ASSIGN_OR_CO_RETURN(std::vector<Deletion> rows,
                      Logged(co_await client_.Query(kReadFrom, position, kPage + 1)));
  if (position == 0) {
    if (rows.size() > kPage) rows.pop_back();
    co_return rows;
  }
  if (rows.empty() || rows.front().position != position) {
    co_return std::unexpected(Error::NotFound());
  }
  rows.erase(rows.begin());
  co_return rows;
}

}  // namespace customers
