#pragma once

#include <cstdint>
#include <vector>

#include "platform/base/result.h"
#include "platform/base/task.h"
#include "platform/postgres/client.h"
#include "services/customers/src/domain/deletion.h"

namespace customers {

// The deletions of users in PostgreSQL, which a trigger records (V011__record_deletions.up.sql). It
// belongs to the event loop of its client.
class DeletionStore {
 public:
  // Maximum number of deletions that ReadAfter() returns.
  static constexpr std::int32_t kPage = 100;

  explicit DeletionStore(platform::postgres::Client& client) : client_(client) {}

  // Returns the first deletions after a position, in the order of commits; from the beginning if
  // the position is 0. Returns kNotFound if no deletion has the position.
  platform::Task<platform::Result<std::vector<Deletion>>> ReadAfter(std::int64_t position);

 private:
  platform::postgres::Client& client_;
};

}  // namespace customers
