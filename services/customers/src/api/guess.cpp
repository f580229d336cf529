#include "services/customers/src/api/guess.h"

#include <utility>

#include "platform/http/client_address.h"
#include "platform/log/log.h"

namespace customers {

using platform::Result;
using platform::Task;
using platform::security::Verification;

Task<Result<Guess>> BeginGuess(App& app, const platform::http::Request& request,
                               std::string account) {
  std::string address = platform::http::ThrottleKey(std::string(request.client));
  const auto begun = co_await app.throttle.Begin(account, address);
  if (!begun) {
    if (begun.error().code == platform::ErrorCode::kTooManyRequests) {
      app.guesses.throttled.Add();
      platform::log::Warning("login throttled", {{"request_id", request.id}, {"client", address}});
    } else {
      app.guesses.undecided.Add();
    }
    co_return std::unexpected(begun.error());
  }
  co_return Guess{.account = std::move(account), .address = std::move(address), .begun = *begun};
}

Task<Result<bool>> EndGuess(App& app, const Guess& guess, Result<bool> is_right) {
  GuessMetrics& guesses = app.guesses;
  (!is_right ? guesses.undecided : *is_right ? guesses.right : guesses.wrong).Add();
  if (!is_right || *is_right) {
    const auto outcome =
        is_right ? LoginThrottle::Outcome::kSucceeded : LoginThrottle::Outcome::kUndecided;
    CO_RETURN_IF_ERROR(
        co_await app.throttle.Forgive(guess.account, guess.address, guess.begun, outcome));
  }
  co_return is_right;
}

Task<Result<Verification>> VerifyGuess(App& app, const platform::http::Request& request,
                                       std::string account, std::string hash, std::string password,
                                       platform::security::RefusalTime refusal) {
  ASSIGN_OR_CO_RETURN(const Guess guess, co_await BeginGuess(app, request, std::move(account)));
  const Result<Verification> verified =
      co_await app.hashes->Verify(std::move(hash), std::move(password), refusal);
  const Result<bool> is_right =
      verified ? Result<bool>(verified->matches) : std::unexpected(verified.error());
  CO_RETURN_IF_ERROR(co_await EndGuess(app, guess, is_right));
  co_return verified;
}

}  // namespace customers
