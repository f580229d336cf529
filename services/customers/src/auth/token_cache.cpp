#include "services/customers/src/auth/token_cache.h"

#include <sodium.h>

#include <utility>

#include "platform/security/sodium.h"

namespace customers {

TokenCache::TokenCache(const platform::security::TokenCodec& tokens, std::size_t capacity)
    : tokens_(tokens), capacity_(capacity) {
  platform::security::InitializeSodium();
  randombytes_buf(key_.data(), key_.size());
}

std::expected<VerifiedToken, std::string> TokenCache::Verify(
    std::string_view token, std::chrono::system_clock::time_point now) {
  // A longer token is rejected unread, so it need not be hashed.
  if (token.size() > platform::security::kMaxTokenBytes) {
    return std::unexpected(tokens_.Verify(token, now).error());
  }
  const Digest digest = DigestOf(token);
  auto& by_digest = entries_.get<ByDigest>();
  auto& by_use = entries_.get<ByUse>();

  if (const auto known = by_digest.find(digest); known != by_digest.end()) {
    const auto seconds = std::chrono::floor<std::chrono::seconds>(now).time_since_epoch().count();
    if (known->token.exp <= seconds) {
      by_digest.erase(known);
      return std::unexpected(std::string(platform::security::kSignatureHasExpired));
    }
    by_use.relocate(by_use.begin(), entries_.project<ByUse>(known));
    return known->token;
  }

  auto claims = tokens_.Verify(token, now);
  if (!claims) return std::unexpected(std::move(claims).error());
  const VerifiedToken verified{.user_id = claims->id,
                               .version = claims->version,
                               .session = claims->session,
                               .exp = claims->exp};
  by_use.push_front({digest, verified});
  if (entries_.size() > capacity_) by_use.pop_back();
  return verified;
}

TokenCache::Digest TokenCache::DigestOf(std::string_view token) const {
  Digest digest;
  crypto_generichash(digest.data(), digest.size(),
                     reinterpret_cast<const unsigned char*>(token.data()), token.size(),
                     key_.data(), key_.size());
  return digest;
}

}  // namespace customers
