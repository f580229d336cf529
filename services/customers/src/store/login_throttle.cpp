#include "services/customers/src/store/login_throttle.h"

#include <utility>

namespace customers {
namespace {

using platform::Error;
using platform::ErrorCode;
using platform::Result;
using platform::Task;
using platform::postgres::Client;
using platform::postgres::Lane;
using platform::postgres::Logged;
using platform::postgres::Statement;

// Each returns the seconds to wait, 0 if the limit is not reached.
using GuessStatement = Statement<std::int32_t, std::string, std::string, std::vector<std::int32_t>,
                                 std::int32_t, std::int32_t, std::int32_t>;

constexpr GuessStatement kWait{"guess_wait", Lane::kKeyRead,
                               "SELECT guess_wait($1, string_to_array($2, ' '), $3, $4, $5, $6)"};

constexpr GuessStatement kCountWrong{
    "count_wrong_guess", Lane::kWrite,
    "SELECT count_wrong_guess($1, string_to_array($2, ' '), $3, $4, $5, $6)"};

constexpr GuessStatement kCountRight{
    "count_right_guess", Lane::kWrite,
    "SELECT count_right_guess($1, string_to_array($2, ' '), $3, $4, $5, $6)"};

Task<Result<void>> Run(Client& client, const ThrottleLimits& limits,
                       const GuessStatement& statement, const std::string& account,
                       const Guesser& guesser) {
  ASSIGN_OR_CO_RETURN(const auto wait_seconds,
                      Logged(co_await client.QueryOne(
                          statement, account, guesser.networks, guesser.shares, limits.per_account,
                          limits.per_address, static_cast<std::int32_t>(limits.window.count()))));
  if (*wait_seconds > 0) {
    co_return std::unexpected(Error{.code = ErrorCode::kTooManyRequests,
                                    .retry_after = std::chrono::seconds(*wait_seconds)});
  }
  co_return Result<void>();
}

}  // namespace

Task<Result<void>> LoginThrottle::Check(const std::string& account, const Guesser& guesser) {
  return Run(client_, limits_, kWait, account, guesser);
}

Task<Result<void>> LoginThrottle::Count(const std::string& account, const Guesser& guesser,
                                        bool is_right) {
  return Run(client_, limits_, is_right ? kCountRight : kCountWrong, account, guesser);
}

}  // namespace customers
