#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "platform/base/result.h"
#include "platform/base/task.h"
#include "platform/postgres/client.h"
#include "platform/postgres/value.h"

namespace customers {

// Failed guesses at passwords that are let in within any `window`.
struct ThrottleLimits {
  std::int32_t per_account = 10;  // For one account from one address.
  std::int32_t per_address = 100;
  std::chrono::seconds window = std::chrono::minutes(15);
};

// Slows down who guesses passwords. An account is throttled together with the address it is tried
// from, so that nobody can lock its owner out elsewhere. It is named by its id, which no change of
// its email alters, or where it does not exist, by the email. The counts are in PostgreSQL: they
// hold across replicas and restarts. For the event loop of its client.
class LoginThrottle {
 public:
  enum class Outcome {
    kSucceeded,  // Clears the failures of the account from this address.
    kUndecided,  // Does not count: the password was not looked at.
  };

  LoginThrottle(platform::postgres::Client& client, const ThrottleLimits& limits)
      : client_(client), limits_(limits) {}

  // Counts an attempt as failed before it is made, so that parallel ones get no more than allowed.
  // Gives the time to name it by; kTooManyRequests, with the time to wait, where the limit is
  // reached.
  platform::Task<platform::Result<platform::postgres::Timestamp>> Begin(const std::string& account,
                                                                        const std::string& address);

  // Takes an attempt back. One that failed is left alone.
  platform::Task<platform::Result<void>> Forgive(const std::string& account,
                                                 const std::string& address,
                                                 platform::postgres::Timestamp begun,
                                                 Outcome outcome);

 private:
  platform::postgres::Client& client_;
  ThrottleLimits limits_;
};

}  // namespace customers
