#pragma once

#include <string>

#include "platform/http/message.h"
#include "platform/security/password.h"
#include "services/customers/src/app.h"

namespace customers {

// Verifies a password guess, throttled by `account` (see LoginThrottle) and the request's address.
// Errors: kTooManyRequests, kUnavailable.
platform::Task<platform::Result<platform::security::Verification>> VerifyGuess(
    App& app, const platform::http::Request& request, std::string account, std::string hash,
    std::string password,
    platform::security::RefusalTime refusal = platform::security::RefusalTime::kOfItsHash);

}  // namespace customers
