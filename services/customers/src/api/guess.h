#pragma once

#include <string>
#include <vector>

#include "platform/base/client_network.h"
#include "platform/http/message.h"
#include "platform/security/hash_pool.h"
#include "platform/security/password.h"
#include "services/customers/src/app.h"

namespace customers {

// An attempt to guess a secret of an account, from the networks of a client. It counts when
// EndGuess() is called.
struct Guess {
  std::string account;  // See LoginThrottle.
  std::vector<platform::ClientNetwork> networks;
};

// Takes a place in the hash pool for the request's client. Every request that hashes a password
// takes it before it does anything costly, so that a client has as little done at once for
// passwords as it has places. Errors: kUnavailable; kTooManyRequests if too many of the client's
// requests have been refused, by the pool or by the throttle. Both answers take a second, so that a
// client that repeats its requests at once makes few of them, and leaves the cores to others.
platform::Task<platform::Result<platform::security::HashPool::Place>> EnterHashPool(
    App& app, const platform::http::Request& request, platform::security::HashPurpose purpose);

// Begins an attempt to guess a secret of `account` (see LoginThrottle) from the request's address.
// Errors: kTooManyRequests, kUnavailable.
platform::Task<platform::Result<Guess>> BeginGuess(App& app, const platform::http::Request& request,
                                                   std::string account);

// Counts the outcome of the guess, which is whether the guess is right, or the error that left it
// undecided. Returns the outcome, or kTooManyRequests if too many other guesses have failed since
// this one began. Then, as after any other error, the outcome must have no effect.
platform::Task<platform::Result<bool>> EndGuess(App& app, const platform::http::Request& request,
                                                const Guess& guess,
                                                platform::Result<bool> is_right);

// Hashes a new password in the client's place. Errors: kUnavailable.
platform::Task<platform::Result<std::string>> HashNewPassword(
    App& app, const platform::http::Request& request, platform::security::HashPool::Place& place,
    std::string password);

// Verifies a password guess in the client's place, throttled by `account` (see LoginThrottle) and
// the request's address. Errors: kTooManyRequests, kUnavailable.
platform::Task<platform::Result<platform::security::Verification>> VerifyGuess(
    App& app, const platform::http::Request& request, platform::security::HashPool::Place& place,
    std::string account, std::string hash, std::string password,
    platform::security::RefusalTime refusal = platform::security::RefusalTime::kOfItsHash);

}  // namespace customers
