#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "platform/base/result.h"
#include "platform/base/task.h"
#include "platform/postgres/client.h"

namespace cart {

// How far the deletions of users are applied, in PostgreSQL. Positions are the customers service's.
// Each call is one statement. It belongs to the event loop of its client.
class ErasureStore {
 public:
  template <class T>
  using Reply = platform::Task<platform::Result<T>>;

  explicit ErasureStore(platform::postgres::Client& client) : client_(client) {}

  // Takes or extends the turn of a replica, which ends after six seconds. Returns the position of
  // the last deletion that is applied, or nothing if it is another replica's turn.
  Reply<std::optional<std::int64_t>> TakeTurn(const std::string& replica);
  // Ends the turn of a replica, if it has it.
  Reply<void> EndTurn(const std::string& replica);

  // Erases the cart of a deleted user and advances the position from `previous` to `position`.
  // Returns false, and changes nothing, if the position is not `previous`.
  Reply<bool> Erase(std::int32_t user, std::int64_t previous, std::int64_t position);
  // Sets the position to 0, if it is `position`, so that all deletions are applied again.
  Reply<void> Rewind(std::int64_t position);

 private:
  platform::postgres::Client& client_;
};

}  // namespace cart
