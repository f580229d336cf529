#pragma once

#include <string>

#include "platform/http/message.h"
#include "platform/security/password.h"
#include "services/customers/src/app.h"

namespace customers {

// An attempt to guess a secret of an account, from the networks of a client. It counts when
// EndGuess() is called.
struct Guess {
  std::string account;  // See LoginThrottle.
  Guesser guesser;
};

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

// Verifies a password guess, throttled by `account` (see LoginThrottle) and the request's address.
// Errors: kTooManyRequests, kUnavailable.
platform::Task<platform::Result<platform::security::Verification>> VerifyGuess(
    App& app, const platform::http::Request& request, std::string account, std::string hash,
    std::string password,
    platform::security::RefusalTime refusal = platform::security::RefusalTime::kOfItsHash);

}  // namespace customers
