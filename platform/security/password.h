#pragma once

#include <string>
#include <string_view>

// Password hashes: argon2id (19 MiB, 2 passes, 1 lane), and for reading only, crypt's "$5$"
// (SHA-256). Each call takes tens to hundreds of milliseconds: on an event loop use HashPool.
// All functions may be called from any thread.
namespace platform::security {

struct Verification {
  bool matches = false;
  bool needs_rehash = false;  // Matches, but the hash should be replaced by one of HashPassword.

  bool operator==(const Verification&) const = default;
};

// How long it takes to refuse a password.
enum class RefusalTime {
  kOfItsHash,
  kOfBothKinds,  // As long as an argon2id and a "$5$" hash together, whatever the hash is.
};

// A new salted hash, in the "$argon2id$..." form. Throws std::bad_alloc where memory is short.
std::string HashPassword(std::string_view password);

// Whether `password` is the one that `hash` was made of. A hash of an unknown kind, malformed or
// empty, matches nothing. A "$5$" hash matches no password of more than 512 bytes, or with a NUL.
// For kOfBothKinds "$5$" hashes are taken to have 535,000 rounds, as all of the reference's.
Verification VerifyPassword(const std::string& hash, std::string_view password,
                            RefusalTime refusal = RefusalTime::kOfItsHash);

// An argon2id hash that nothing is known to match. Verify against it where there is no account, so
// that the answer takes as long.
const std::string& DummyHash();

// Overwrites the whole of `text`, also what it held beyond its present size, and empties it.
void Wipe(std::string& text);

}  // namespace platform::security
