#pragma once

#include <array>
#include <boost/multi_index/hashed_index.hpp>
#include <boost/multi_index/member.hpp>
#include <boost/multi_index/sequenced_index.hpp>
#include <boost/multi_index_container.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <expected>
#include <string>
#include <string_view>

#include "platform/security/jwt.h"

namespace customers {

// The claims of a token with a valid signature on which the service relies.
struct VerifiedToken {
  std::int32_t user_id = 0;
  std::int32_t version = 0;  // Compared with the account's token_version.
  std::int32_t session = 0;  // Must be one of the account's sessions; 0 for none.
  std::int64_t exp = 0;      // Seconds since 1970.

  bool operator==(const VerifiedToken&) const = default;
};

// Verifies tokens, and remembers the ones with a valid signature so that each signature is computed
// once. It holds no tokens, only keyed hashes (BLAKE2b-256 with a key of its own), and no verdicts,
// because only the database knows whether the user still exists. A rejected token is not
// remembered, so nobody can fill the cache without the secret. The least recently used token is
// forgotten first. Use it on one thread.
class TokenCache {
 public:
  static constexpr std::size_t kDefaultCapacity = 16'384;  // About 2 MiB.

  explicit TokenCache(const platform::security::TokenCodec& tokens,
                      std::size_t capacity = kDefaultCapacity);

  // Does the same as TokenCodec::Verify, with the same reasons. `token` is a JWT without its
  // scheme.
  std::expected<VerifiedToken, std::string> Verify(std::string_view token,
                                                   std::chrono::system_clock::time_point now);

  std::size_t size() const { return entries_.size(); }

 private:
  using Digest = std::array<unsigned char, 32>;
  // Nobody can choose digests without the key, so any part of a digest is a good hash.
  struct DigestHash {
    std::size_t operator()(const Digest& digest) const {
      std::size_t hash = 0;
      std::memcpy(&hash, digest.data(), sizeof hash);
      return hash;
    }
  };
  struct Entry {
    Digest digest;
    VerifiedToken token;
  };
  struct ByUse {};
  struct ByDigest {};
  using Entries = boost::multi_index_container<
      Entry, boost::multi_index::indexed_by<
                 boost::multi_index::sequenced<boost::multi_index::tag<ByUse>>,
                 boost::multi_index::hashed_unique<
                     boost::multi_index::tag<ByDigest>,
                     boost::multi_index::member<Entry, Digest, &Entry::digest>, DigestHash>>>;

  Digest DigestOf(std::string_view token) const;

  const platform::security::TokenCodec& tokens_;
  const std::size_t capacity_;
  Digest key_{};
  Entries entries_;  // The most recently used first.
};

}  // namespace customers
