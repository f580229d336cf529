#include "services/customers/src/api/guess.h"

#include <utility>

#include "platform/http/client_address.h"
#include "platform/log/log.h"

namespace customers {

using platform::Result;
using platform::Task;
using platform::security::Verification;

Task<Result<Verification>> VerifyGuess(App& app, const platform::http::Request& request,
                                       std::string account, std::string hash, std::string password,
                                       platform::security::RefusalTime refusal) {
  const std::string address = platform::http::ThrottleKey(std::string(request.client));
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
  const Result<Verification> verified =
      co_await app.hashes.Verify(std::move(hash), std::move(password), refusal);
  GuessMetrics& guesses = app.guesses;
  (!verified ? guesses.undecided : verified->matches ? guesses.right : guesses.wrong).Add();
  if (!verified || verified->matches) {
    const auto outcome =
        verified ? LoginThrottle::Outcome::kSucceeded : LoginThrottle::Outcome::kUndecided;
    CO_RETURN_IF_ERROR(co_await app.throttle.Forgive(account, address, *begun, outcome));
  }
  co_return verified;
}

}  // namespace customers
