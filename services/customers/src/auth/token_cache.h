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

// What a token whose signature is right says: the part to rely on.
struct VerifiedToken {
  std::int32_t user_id = 0;
  std::int32_t version = 0;  // To be compared with the account's token_version.
  std::int64_t exp = 0;      // Seconds since 1970.

  bool operator==(const VerifiedToken&) const = default;
};

// Verifies tokens, and remembers those with a right signature so that each is computed once. Holds
// no token, only a keyed hash (BLAKE2b-256 with a key of its own), and no verdict: whether the user
// is still there is for the database to say. A refused token is not remembered, so nobody without
// the secret can fill it. The least recently used is forgotten first. For one thread.
class TokenCache {
 public:
  static constexpr std::size_t kDefaultCapacity = 16'384;  // About 2 MiB.

  explicit TokenCache(const platform::security::TokenCodec& tokens,
                      std::size_t capacity = kDefaultCapacity);

  // As TokenCodec::Verify, whose reasons it gives; `token` is a JWT without its scheme.
  std::expected<VerifiedToken, std::string> Verify(std::string_view token,
                                                   std::chrono::system_clock::time_point now);

  std::size_t size() const { return entries_.size(); }

 private:
  using Digest = std::array<unsigned char, 32>;
  // Nobody can choose digests without the key, so that any part of one is a good hash.
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
  Entries entries_;  // The latest used first.
};

}  // namespace customers
