#include "services/customers/src/api/guess.h"

#include <utility>

#include "platform/http/client_address.h"
#include "platform/log/log.h"

namespace customers {

using platform::Error;
using platform::Result;
using platform::Task;
using platform::security::Verification;

namespace {

Guesser GuesserOf(const platform::http::Request& request) {
  Guesser guesser;
  for (const auto& [name, share] : platform::http::ClientNetworks(std::string(request.client))) {
    if (!guesser.networks.empty()) guesser.networks += ' ';
    guesser.networks += name;
    guesser.shares.push_back(share);
  }
  return guesser;
}

// Counts a guess that the throttle has refused, or that failed in it.
Error Refused(App& app, const platform::http::Request& request, const Error& error) {
  if (error.code == platform::ErrorCode::kTooManyRequests) {
    app.guesses.throttled.Add();
    platform::log::Warning("login throttled",
                           {{"request_id", request.id}, {"client", request.client}});
  } else {
    app.guesses.undecided.Add();
  }
  return error;
}

}  // namespace

Task<Result<Guess>> BeginGuess(App& app, const platform::http::Request& request,
                               std::string account) {
  Guess guess{.account = std::move(account), .guesser = GuesserOf(request)};
  const auto allowed = co_await app.throttle.Check(guess.account, guess.guesser);
  if (!allowed) co_return std::unexpected(Refused(app, request, allowed.error()));
  co_return guess;
}

Task<Result<bool>> EndGuess(App& app, const platform::http::Request& request, const Guess& guess,
                            Result<bool> is_right) {
  if (!is_right) {
    app.guesses.undecided.Add();
    co_return is_right;
  }
  const auto counted = co_await app.throttle.Count(guess.account, guess.guesser, *is_right);
  if (!counted) co_return std::unexpected(Refused(app, request, counted.error()));
  (*is_right ? app.guesses.right : app.guesses.wrong).Add();
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
  CO_RETURN_IF_ERROR(co_await EndGuess(app, request, guess, is_right));
  co_return verified;
}

}  // namespace customers
