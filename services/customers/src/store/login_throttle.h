#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "platform/base/result.h"
#include "platform/base/task.h"
#include "platform/postgres/client.h"
#include "platform/postgres/value.h"

namespace customers {

// Maximum number of failed password guesses within any `window`.
struct ThrottleLimits {
  std::int32_t per_account = 10;  // For one account from one address.
  std::int32_t per_address = 100;
  std::chrono::seconds window = std::chrono::minutes(15);
};

// Limits password guesses. Failures are counted for an account and an address together, so that
// nobody can lock the account's owner out at another address. An account is identified by its id,
// which does not change with its email; an account that does not exist is identified by the email.
// The counts are in PostgreSQL, so they hold across replicas and restarts. It belongs to the event
// loop of its client.
class LoginThrottle {
 public:
  enum class Outcome {
    kSucceeded,  // Clears the failures of the account from this address.
    kUndecided,  // Does not count, because the password was not checked.
  };

  LoginThrottle(platform::postgres::Client& client, const ThrottleLimits& limits)
      : client_(client), limits_(limits) {}

  // Counts an attempt as failed before it is made, so that parallel attempts cannot exceed the
  // limit. Returns the attempt's timestamp, which identifies it to Forgive(). If the limit is
  // reached, returns kTooManyRequests with the time to wait.
  platform::Task<platform::Result<platform::postgres::Timestamp>> Begin(const std::string& account,
                                                                        const std::string& address);

  // Takes an attempt back. Do not call it for an attempt that failed.
  platform::Task<platform::Result<void>> Forgive(const std::string& account,
                                                 const std::string& address,
                                                 platform::postgres::Timestamp begun,
                                                 Outcome outcome);

 private:
  platform::postgres::Client& client_;
  ThrottleLimits limits_;
};

}  // namespace customers
