#include "services/customers/src/store/login_throttle.h"

#include <boost/describe/class.hpp>

namespace customers {
namespace {

using platform::Error;
using platform::ErrorCode;
using platform::Result;
using platform::Task;
using platform::postgres::Lane;
using platform::postgres::Logged;
using platform::postgres::Statement;
using platform::postgres::Timestamp;

struct AttemptRow {
  std::int32_t wait_seconds = 0;
  Timestamp begun;
};
BOOST_DESCRIBE_STRUCT(AttemptRow, (), (wait_seconds, begun))

constexpr Statement<AttemptRow, std::string, std::string, std::int32_t, std::int32_t, std::int32_t>
    kBegin{"begin_login", Lane::kWrite,
           "SELECT wait_seconds, begun FROM begin_login($1, $2, $3, $4, $5)"};

// Does not wait for the disk: if the server crashes, one failure too many is remembered.
constexpr Statement<void, std::string, std::string, Timestamp, bool> kForgive{
    "forgive_login", Lane::kWrite,
    "SELECT set_config('synchronous_commit', 'off', true), forgive_login($1, $2, $3, $4)"};

}  // namespace

Task<Result<Timestamp>> LoginThrottle::Begin(const std::string& account,
                                             const std::string& address) {
  ASSIGN_OR_CO_RETURN(const auto attempt,
                      Logged(co_await client_.QueryOne(
                          kBegin, account, address, limits_.per_account, limits_.per_address,
                          static_cast<std::int32_t>(limits_.window.count()))));
  const auto& [wait_seconds, begun] = *attempt;
  if (wait_seconds > 0) {
    co_return std::unexpected(Error{.code = ErrorCode::kTooManyRequests,
                                    .retry_after = std::chrono::seconds(wait_seconds)});
  }
  co_return begun;
}

Task<Result<void>> LoginThrottle::Forgive(const std::string& account, const std::string& address,
                                          Timestamp begun, Outcome outcome) {
  CO_RETURN_IF_ERROR(Logged(
      co_await client_.Execute(kForgive, account, address, begun, outcome == Outcome::kSucceeded)));
  co_return Result<void>();
}

}  // namespace customers
