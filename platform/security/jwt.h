#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "platform/config/secret.h"

namespace platform::security {

// The claims of a token. Rely only on `id`, `version` and `session`: the account may have changed
// since.
struct Claims {
  std::int32_t id = 0;
  std::string email;         // Empty if the token has no email.
  bool is_admin = false;     // False if the token has no such claim.
  std::int64_t exp = 0;      // Seconds since 1970; from that second on the token has expired.
  std::int32_t version = 0;  // Claim `ver`; 0 if the token has no such claim.
  std::int32_t session = 0;  // Claim `sid`, a positive number; 0 if the token has no such claim.

  bool operator==(const Claims&) const = default;
};

// The reason for rejecting an expired token.
inline constexpr std::string_view kSignatureHasExpired = "Signature has expired";

// Longer tokens are rejected unread.
inline constexpr std::size_t kMaxTokenBytes = 8192;

// Signs and verifies JSON Web Tokens with HMAC-SHA-256 (HS256) and no other algorithm. Immutable,
// so it may be used from any thread.
class TokenCodec {
 public:
  // The first secret signs, all of them verify. To replace a secret, put the new one first and keep
  // the old one until its tokens have expired. Throws std::invalid_argument if `secrets` or one of
  // them is empty.
  explicit TokenCodec(std::vector<Secret> secrets);

  // Returns the compact form, without "Bearer ". Throws std::runtime_error if the email is not
  // UTF-8.
  std::string Sign(const Claims& claims) const;

  // Returns the claims of a valid token, or the reason for rejecting it, which may be shown to
  // clients. Checks form, algorithm, signature and claims, in this order. A token that was valid
  // once stays valid until `exp`.
  std::expected<Claims, std::string> Verify(std::string_view token,
                                            std::chrono::system_clock::time_point now) const;

 private:
  std::vector<Secret> secrets_;
};

}  // namespace platform::security
