#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "platform/config/secret.h"

namespace platform::security {

// What a token says. Only `id` and `version` are to be relied on: the rest may have changed since.
struct Claims {
  std::int32_t id = 0;
  std::string email;         // Empty where the token has none.
  bool is_admin = false;     // False where the token has none.
  std::int64_t exp = 0;      // Seconds since 1970; from that second on the token has expired.
  std::int32_t version = 0;  // Claim `ver`; 0 where the token has none.

  bool operator==(const Claims&) const = default;
};

// The reason for a token whose time is over.
inline constexpr std::string_view kSignatureHasExpired = "Signature has expired";

// Longer tokens are refused unread.
inline constexpr std::size_t kMaxTokenBytes = 8192;

// Signs and verifies JSON Web Tokens with HMAC-SHA-256 (HS256) and no other algorithm. Immutable,
// so it may be used from any thread.
class TokenCodec {
 public:
  // The first secret signs, all of them verify: to replace a secret, put the new one first and keep
  // the old one until its tokens have expired. Throws std::invalid_argument if there is none or one
  // is empty.
  explicit TokenCodec(std::vector<Secret> secrets);

  // The compact form, without "Bearer ". Throws std::runtime_error if the email is not UTF-8.
  std::string Sign(const Claims& claims) const;

  // The claims of a valid token, or the reason, fit for the wire, why it is none. Checked in this
  // order: form, algorithm, signature, claims. What was valid once stays so until `exp`.
  std::expected<Claims, std::string> Verify(std::string_view token,
                                            std::chrono::system_clock::time_point now) const;

 private:
  std::vector<Secret> secrets_;
};

}  // namespace platform::security
