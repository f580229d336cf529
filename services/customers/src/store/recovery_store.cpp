#include "services/customers/src/store/recovery_store.h"

#include <sodium.h>

#include <array>
#include <utility>

#include "platform/security/random.h"

namespace customers {
namespace {

using platform::postgres::Lane;
using platform::postgres::Logged;
using platform::postgres::Statement;
using platform::postgres::Timestamp;

constexpr std::size_t kCodeBytes = 16;

constexpr Statement<Timestamp, UserId, std::string, UserId, std::int32_t, SessionId> kMakeCode{
    "make_recovery_code", Lane::kWrite, R"(
INSERT INTO recovery_codes (user_id, digest, expires)
SELECT id, decode($2, 'hex'), clock_timestamp() + interval '1 hour'
FROM users
WHERE id = (SELECT account FROM authorize($3, $4, $5, $1, true, false))
FOR KEY SHARE
ON CONFLICT (user_id) DO UPDATE SET digest = excluded.digest, expires = excluded.expires
RETURNING expires)"};

constexpr Statement<bool, std::string> kIsValid{"is_recovery_code_valid", Lane::kKeyRead, R"(
SELECT EXISTS (
    SELECT FROM recovery_codes
    WHERE digest = decode($1, 'hex') AND expires > clock_timestamp()
))"};

constexpr Statement<std::optional<UserId>, std::string, std::string> kRecover{
    "recover_account", Lane::kWrite, "SELECT recover_account(decode($1, 'hex'), $2)"};

// Returns the SHA-256 digest in hexadecimal digits. A code is 128 random bits, so no slow hash is
// needed.
std::string DigestOf(const std::string& code) {
  std::array<unsigned char, crypto_hash_sha256_BYTES> digest;
  crypto_hash_sha256(digest.data(), reinterpret_cast<const unsigned char*>(code.data()),
                     code.size());
  std::string digits(2 * digest.size() + 1, '\0');
  sodium_bin2hex(digits.data(), digits.size(), digest.data(), digest.size());
  digits.pop_back();
  return digits;
}

}  // namespace

RecoveryStore::Reply<RecoveryCode> RecoveryStore::MakeCode(const Actor& actor, UserId user) {
  std::string code = platform::security::RandomHex(kCodeBytes);
  ASSIGN_OR_CO_RETURN(const auto expires, Authorized(co_await client_.QueryOne(
                                              kMakeCode, user, DigestOf(code), actor.id,
                                              actor.token_version, actor.session)));
  if (!expires) co_return std::unexpected(platform::Error::NotFound());
  co_return RecoveryCode{.code = std::move(code), .expires = *expires};
}

RecoveryStore::Reply<bool> RecoveryStore::IsValid(const std::string& code) {
  ASSIGN_OR_CO_RETURN(const auto is_valid,
                      Logged(co_await client_.QueryOne(kIsValid, DigestOf(code))));
  co_return *is_valid;
}

RecoveryStore::Reply<std::optional<UserId>> RecoveryStore::Recover(
    const std::string& code, const std::string& password_hash) {
  ASSIGN_OR_CO_RETURN(const auto owner,
                      Logged(co_await client_.QueryOne(kRecover, DigestOf(code), password_hash)));
  co_return *owner;
}

}  // namespace customers
