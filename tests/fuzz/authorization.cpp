// An Authorization header → the token's claims, or the reason for rejecting it; and claims → token
// → claims.

#include "platform/security/authorization.h"

#include <algorithm>
#include <chrono>
#include <string>

#include "platform/schema/text.h"
#include "platform/security/jwt.h"
#include "services/customers/src/auth/token_cache.h"
#include "tests/fuzz/check.h"

namespace {

using platform::Secret;
using platform::security::Claims;
using platform::security::TokenCodec;

// The first secret is the one with which the corpus is signed.
const Secret kSecret("the-secret-of-the-corpus-0123456789abcdef");
const Secret kOther("another-secret-0123456789abcdef-01234567");

// A time before the tokens of the corpus expire.
const std::chrono::system_clock::time_point kNow{std::chrono::seconds(1'800'000'000)};

void Verify(std::string_view token) {
  static const TokenCodec codec({kSecret});
  static const TokenCodec other({kOther});
  static const TokenCodec both({kOther, kSecret});
  const auto claims = codec.Verify(token, kNow);
  fuzz::Check(both.Verify(token, kNow) == claims || !claims,
              "two secrets accept what one of them does");
  if (claims) {
    fuzz::Check(!other.Verify(token, kNow), "no other secret verifies the token");
    fuzz::Check(claims->exp > std::chrono::system_clock::to_time_t(kNow),
                "an expired token is refused");
    fuzz::Check(!codec.Verify(token, std::chrono::system_clock::from_time_t(claims->exp)),
                "a token expires");
    fuzz::Check(codec.Verify(codec.Sign(*claims), kNow) == claims,
                "claims survive being signed again");
  } else {
    fuzz::Check(std::ranges::all_of(claims.error(), [](char c) { return c >= ' ' && c <= '~'; }),
                "a reason is plain text");
    fuzz::Check(!claims.error().empty(), "a refusal has a reason");
  }

  customers::TokenCache cache(codec, 2);
  for (int i = 0; i < 2; ++i) {
    const auto cached = cache.Verify(token, kNow);
    fuzz::Check(cached.has_value() == claims.has_value(), "the cache changes no verdict");
    if (claims) {
      const customers::VerifiedToken expected{.user_id = claims->id,
                                              .version = claims->version,
                                              .session = claims->session,
                                              .exp = claims->exp};
      fuzz::Check(*cached == expected, "the cache remembers what the token says");
    } else {
      fuzz::Check(cached.error() == claims.error(), "the cache changes no reason");
    }
  }
}

// Checks a token of our own with any email, and the same token with one changed byte.
void Sign(std::string_view bytes) {
  if (!platform::schema::IsText(bytes) || bytes.size() > 1000) return;
  static const TokenCodec codec({kSecret});
  const auto size = static_cast<std::int32_t>(bytes.size());
  const Claims claims{.id = size,
                      .email = std::string(bytes),
                      .is_admin = size % 2 == 0,
                      .exp = std::chrono::system_clock::to_time_t(kNow) + 1 + size,
                      .version = size * 7,
                      .session = size % 3};
  std::string token = codec.Sign(claims);
  fuzz::Check(codec.Verify(token, kNow) == claims, "a token says what was signed");
  // The last digit is not changed, because some of its bits are ignored.
  char& changed = token[bytes.size() * 31 % (token.size() - 1)];
  changed = changed == 'A' ? 'B' : 'A';
  fuzz::Check(!codec.Verify(token, kNow), "a changed token is refused");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view header = fuzz::Text(data, size);
  if (const auto token = platform::security::ParseAuthorization(header)) {
    fuzz::Check(!token->empty(), "a token is not empty");
    fuzz::Check(token->data() >= header.data() &&
                    token->data() + token->size() <= header.data() + header.size(),
                "a token is part of its header");
    Verify(*token);
  }
  Verify(header);
  Sign(header);
  return 0;
}
