#pragma once

#include <string>
#include <string_view>

// Password hashes: argon2id (19 MiB, 2 passes, 1 lane), and crypt's "$5$" (SHA-256), which the
// reference makes and reads. Each call takes tens to hundreds of milliseconds, so use HashPool on
// an event loop. All functions may be called from any thread.
namespace platform::security {

enum class HashForm {
  kArgon2id,
  kSha256Crypt,  // "$5$" with 535,000 rounds, as all of the reference's.
};

struct Verification {
  bool matches = false;
  bool needs_rehash = false;  // Matches, but HashPassword() would make another kind of hash.

  bool operator==(const Verification&) const = default;
};

// How long it takes to reject a password.
enum class RefusalTime {
  kOfItsHash,
  kOfBothKinds,  // As long as an argon2id and a "$5$" hash together, whatever the hash is.
};

// Returns a new salted hash. Throws std::bad_alloc if memory is short. crypt refuses a password of
// 512 bytes or more, or with a NUL: such a one gets an argon2id hash, whatever the form.
std::string HashPassword(std::string_view password, HashForm form = HashForm::kArgon2id);

// Returns whether `hash` was made from `password`. A hash of an unknown kind, malformed or empty,
// matches nothing. A "$5$" hash matches no password that crypt refuses; refusing that takes as long
// as refusing a short one. `form` decides which hashes need a new one. For kOfBothKinds "$5$"
// hashes are taken to have 535,000 rounds.
Verification VerifyPassword(const std::string& hash, std::string_view password,
                            RefusalTime refusal = RefusalTime::kOfItsHash,
                            HashForm form = HashForm::kArgon2id);

// Returns an argon2id hash that no known password matches. Verify against it if there is no
// account, so that the answer takes as long.
const std::string& DummyHash();

// Overwrites the whole buffer of `text`, also beyond its present size, and empties it.
void Wipe(std::string& text);

}  // namespace platform::security
