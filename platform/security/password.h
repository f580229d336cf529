#pragma once

#include <cstddef>
#include <string>
#include <string_view>

// Password hashes: argon2id (19 MiB, 2 passes, 1 lane), and crypt's "$5$" (SHA-256), which the
// reference makes and reads. Each call takes tens to hundreds of milliseconds, so use HashPool on
// an event loop. All functions may be called from any thread.
namespace platform::security {

enum class HashForm {
  kArgon2id,
  kSha256Crypt,  // "$5$" with 535,000 rounds, the form of the reference.
};

// Maximum size of a password that is compared with a "$5$" hash or hashed as one. The time that
// such a hash takes grows with the size: 511 bytes, which crypt permits, take seconds.
inline constexpr std::size_t kMaxSha256CryptBytes = 128;

struct Verification {
  bool matches = false;
  bool needs_rehash = false;  // Matches, but HashPassword() would make a different hash.

  bool operator==(const Verification&) const = default;
};

// The time that the rejection of a password takes.
enum class RefusalTime {
  kOfItsHash,
  // The time of an argon2id and a "$5$" hash together, for any hash; of argon2id alone if the
  // password is too long for "$5$".
  kOfBothKinds,
};

// Returns a new salted hash. An argon2id hash is of the password's NFC, so that it does not matter
// how a keyboard composes the characters; the reference hashes what was typed, and so does the
// "$5$" form. Throws std::bad_alloc if memory is short. A password of more than
// kMaxSha256CryptBytes, or with a NUL, gets an argon2id hash in either form.
std::string HashPassword(std::string_view password, HashForm form = HashForm::kArgon2id);

// Returns whether `hash` was made from `password`, in NFC or as it was typed, as hashes of the
// reference and older ones of ours are. If the two differ, a refusal takes twice the time. A hash
// of an unknown kind, malformed or empty, matches nothing. A "$5$" hash matches no password of more
// than kMaxSha256CryptBytes or with a NUL, and such a password is never hashed in this form.
// `form` decides which matching hashes need a new one. The time of kOfBothKinds assumes that "$5$"
// hashes have 535,000 rounds.
Verification VerifyPassword(const std::string& hash, std::string_view password,
                            RefusalTime refusal = RefusalTime::kOfItsHash,
                            HashForm form = HashForm::kArgon2id);

// Returns an argon2id hash that no known password matches. Verify against it if there is no
// account, so that the answer takes as long.
const std::string& DummyHash();

// Overwrites the whole buffer of `text`, also beyond its present size, and empties it.
void Wipe(std::string& text);

}  // namespace platform::security
