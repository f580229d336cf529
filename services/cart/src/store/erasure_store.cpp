#include "services/cart/src/store/erasure_store.h"

namespace cart {
namespace {

using platform::Result;
using platform::postgres::Lane;
using platform::postgres::Logged;
using platform::postgres::OrNotFound;
using platform::postgres::Statement;

constexpr Statement<std::int64_t, std::string> kTakeTurn{"take_erasure_turn", Lane::kWrite, R"(
UPDATE erasure_cursor
SET holder = $1, held_until = clock_timestamp() + interval '6 seconds'
WHERE holder = $1 OR held_until < clock_timestamp()
RETURNING position)"};

constexpr Statement<void, std::string> kEndTurn{"end_erasure_turn", Lane::kWrite, R"(
UPDATE erasure_cursor
SET held_until = '-infinity'
WHERE holder = $1)"};

constexpr Statement<bool, std::int32_t, std::int64_t, std::int64_t> kErase{
    "erase_cart", Lane::kWrite, "SELECT erase_cart($1, $2, $3)"};

constexpr Statement<void, std::int64_t> kRewind{"rewind_erasures", Lane::kWrite, R"(
UPDATE erasure_cursor
SET position = 0
WHERE position = $1)"};

}  // namespace

ErasureStore::Reply<std::optional<std::int64_t>> ErasureStore::TakeTurn(
    const std::string& replica) {
  co_return Logged(co_await client_.QueryOne(kTakeTurn, replica));
}

ErasureStore::Reply<void> ErasureStore::EndTurn(const std::string& replica) {
  CO_RETURN_IF_ERROR(Logged(co_await client_.Execute(kEndTurn, replica)));
  co_return Result<void>();
}

ErasureStore::Reply<bool> ErasureStore::Erase(std::int32_t user, std::int64_t previous,
                                              std::int64_t position) {
  co_return OrNotFound(co_await client_.QueryOne(kErase, user, previous, position));
}

ErasureStore::Reply<void> ErasureStore::Rewind(std::int64_t position) {
  CO_RETURN_IF_ERROR(Logged(co_await client_.Execute(kRewind, position)));
  co_return Result<void>();
}

}  // namespace cart
