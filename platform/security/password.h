#pragma once

#include <string>
#include <string_view>

// Password hashes: argon2id (19 MiB, 2 passes, 1 lane), and for verification only, crypt's "$5$"
// (SHA-256). Each call takes tens to hundreds of milliseconds, so use HashPool on an event loop.
// All functions may be called from any thread.
namespace platform::security {

struct Verification {
  bool matches = false;
  bool needs_rehash = false;  // Matches, but HashPassword() should make a new hash.

  bool operator==(const Verification&) const = default;
};

// How long it takes to reject a password.
enum class RefusalTime {
  kOfItsHash,
  kOfBothKinds,  // As long as an argon2id and a "$5$" hash together, whatever the hash is.
};

// Returns a new salted hash in the "$argon2id$..." form. Throws std::bad_alloc if memory is short.
std::string HashPassword(std::string_view password);

// Returns whether `hash` was made from `password`. A hash of an unknown kind, malformed or empty,
// matches nothing. A "$5$" hash matches no password of more than 512 bytes or with a NUL.
// kOfBothKinds assumes that "$5$" hashes have 535,000 rounds, as all hashes of the reference do.
Verification VerifyPassword(const std::string& hash, std::string_view password,
                            RefusalTime refusal = RefusalTime::kOfItsHash);

// Returns an argon2id hash that no known password matches. Verify against it if there is no
// account, so that the answer takes as long.
const std::string& DummyHash();

// Overwrites the whole buffer of `text`, also beyond its present size, and empties it.
void Wipe(std::string& text);

}  // namespace platform::security
