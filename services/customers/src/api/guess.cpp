#include "services/customers/src/api/guess.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <cstddef>
#include <utility>

#include "platform/http/client_address.h"
#include "platform/log/log.h"

namespace customers {

using platform::ClientNetwork;
using platform::Error;
using platform::ErrorCode;
using platform::Result;
using platform::Task;
using platform::http::Request;
using platform::security::HashPool;
using platform::security::HashPurpose;
using platform::security::RefusalLimit;
using platform::security::Verification;

namespace {

constexpr std::chrono::seconds kRefusalDelay{1};
// Maximum number of answers that a worker delays; further ones are sent at once.
constexpr std::size_t kMaxDelayed = 128;

std::vector<ClientNetwork> NetworksOf(const Request& request) {
  return platform::http::ClientNetworks(std::string(request.client));
}

Guesser GuesserOf(const std::vector<ClientNetwork>& networks) {
  Guesser guesser;
  for (const auto& [name, share] : networks) {
    if (!guesser.networks.empty()) guesser.networks += ' ';
    guesser.networks += name;
    guesser.shares.push_back(share);
  }
  return guesser;
}

void CountRefusal(App& app, const Request& request, const std::vector<ClientNetwork>& networks) {
  if (app.refusals.Count(networks, RefusalLimit::Clock::now())) {
    platform::log::Warning("client refused for a while",
                           {{"request_id", request.id}, {"client", request.client}});
  }
}

// Counts a guess that the throttle has refused, or that failed in it.
Error Refused(App& app, const Request& request, const std::vector<ClientNetwork>& networks,
              const Error& error) {
  if (error.code == ErrorCode::kTooManyRequests) {
    app.guesses.throttled.Add();
    CountRefusal(app, request, networks);
    platform::log::Warning("login throttled",
                           {{"request_id", request.id}, {"client", request.client}});
  } else {
    app.guesses.undecided.Add();
  }
  return error;
}

Task<void> DelayRefusal(App& app) {
  if (app.delayed_refusals >= kMaxDelayed) co_return;
  ++app.delayed_refusals;
  boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor, kRefusalDelay);
  co_await timer.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
  --app.delayed_refusals;
}

}  // namespace

Task<Result<HashPool::Place>> EnterHashPool(App& app, const Request& request, HashPurpose purpose) {
  const std::vector<ClientNetwork> networks = NetworksOf(request);
  const bool is_guess = purpose == HashPurpose::kLogin;
  if (const auto wait = app.refusals.Wait(networks, RefusalLimit::Clock::now())) {
    if (is_guess) app.guesses.throttled.Add();
    co_await DelayRefusal(app);
    co_return std::unexpected(Error{.code = ErrorCode::kTooManyRequests, .retry_after = wait});
  }
  Result<HashPool::Place> place = app.hashes->Enter(purpose, networks);
  if (!place) {
    if (is_guess) app.guesses.undecided.Add();
    CountRefusal(app, request, networks);
    co_await DelayRefusal(app);
  }
  co_return place;
}

Task<Result<std::string>> HashNewPassword(App& app, const Request& request, HashPool::Place& place,
                                          std::string password) {
  Result<std::string> hash = co_await place.Hash(std::move(password));
  if (!hash) CountRefusal(app, request, NetworksOf(request));
  co_return hash;
}

Task<Result<Guess>> BeginGuess(App& app, const Request& request, std::string account) {
  Guess guess{.account = std::move(account), .networks = NetworksOf(request)};
  const auto allowed = co_await app.throttle.Check(guess.account, GuesserOf(guess.networks));
  if (!allowed) co_return std::unexpected(Refused(app, request, guess.networks, allowed.error()));
  co_return guess;
}

Task<Result<bool>> EndGuess(App& app, const Request& request, const Guess& guess,
                            Result<bool> is_right) {
  if (!is_right) {
    app.guesses.undecided.Add();
    co_return is_right;
  }
  const auto counted =
      co_await app.throttle.Count(guess.account, GuesserOf(guess.networks), *is_right);
  if (!counted) co_return std::unexpected(Refused(app, request, guess.networks, counted.error()));
  (*is_right ? app.guesses.right : app.guesses.wrong).Add();
  co_return is_right;
}

Task<Result<Verification>> VerifyGuess(App& app, const Request& request, HashPool::Place& place,
                                       std::string account, std::string hash, std::string password,
                                       platform::security::RefusalTime refusal) {
  ASSIGN_OR_CO_RETURN(const Guess guess, co_await BeginGuess(app, request, std::move(account)));
  const Result<Verification> verified =
      co_await place.Verify(std::move(hash), std::move(password), refusal);
  if (!verified) CountRefusal(app, request, guess.networks);
  const Result<bool> is_right =
      verified ? Result<bool>(verified->matches) : std::unexpected(verified.error());
  CO_RETURN_IF_ERROR(co_await EndGuess(app, request, guess, is_right));
  co_return verified;
}

}  // namespace customers
