#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "platform/base/result.h"
#include "platform/base/task.h"
#include "platform/postgres/client.h"

namespace customers {

// Maximum number of failed password guesses within any `window`.
struct ThrottleLimits {
  std::int32_t per_account = 10;  // For one account from one address.
  std::int32_t per_address = 100;
  std::chrono::seconds window = std::chrono::minutes(15);
};

// The networks that a client's address belongs to, each of which counts by itself.
struct Guesser {
  std::string networks;              // Their names, separated by spaces.
  std::vector<std::int32_t> shares;  // For each of them, how many times the limits it may use.
};

// Limits password guesses. Failures are counted for an account and an address together, so that
// nobody can lock the account's owner out at another address. An account is identified by its id,
// which does not change with its email; an account that does not exist is identified by the email.
// The counts are in PostgreSQL, so they hold across replicas and restarts. It belongs to the event
// loop of its client.
//
// A guess counts when its outcome is known, so guesses that are being verified do not hinder each
// other. Guesses are decided one after the other: a guess that finds the limit reached is refused,
// right or wrong, so parallel guesses reveal no more than successive ones.
class LoginThrottle {
 public:
  LoginThrottle(platform::postgres::Client& client, const ThrottleLimits& limits)
      : client_(client), limits_(limits) {}

  // Returns kTooManyRequests with the time to wait if the limit is reached. Call it before the
  // guess is verified, to save the effort.
  platform::Task<platform::Result<void>> Check(const std::string& account, const Guesser& guesser);

  // Counts a guess that has been verified. A right one clears the failures of the account from
  // these networks. Returns kTooManyRequests if the limit has been reached meanwhile; then the
  // guess has failed, and its outcome must have no effect and must not be revealed.
  platform::Task<platform::Result<void>> Count(const std::string& account, const Guesser& guesser,
                                               bool is_right);

 private:
  platform::postgres::Client& client_;
  ThrottleLimits limits_;
};

}  // namespace customers
