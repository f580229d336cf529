#include "services/customers/src/auth/token_cache.h"

#include <gtest/gtest.h>

namespace customers {
namespace {

using platform::Secret;
using platform::security::TokenCodec;
using namespace std::chrono_literals;

constexpr std::int64_t kExp = 2'000'000'000;
const auto kBefore = std::chrono::system_clock::from_time_t(kExp - 1);
const auto kAfter = std::chrono::system_clock::from_time_t(kExp);

class TokenCacheTest : public ::testing::Test {
 protected:
  std::string Sign(std::int32_t id, std::int64_t exp = kExp) {
    return codec_.Sign(
        {.id = id, .email = "x@example.com", .exp = exp, .version = 3, .session = 5});
  }

  TokenCodec codec_{{Secret(std::string(32, 's'))}};
  TokenCache cache_{codec_, 4};
};

TEST_F(TokenCacheTest, TellsTheSameAgain) {
  const std::string token = Sign(7);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(cache_.Verify(token, kBefore),
              (VerifiedToken{.user_id = 7, .version = 3, .session = 5, .exp = kExp}));
  }
  EXPECT_EQ(cache_.size(), 1U);
}

TEST_F(TokenCacheTest, AKnownTokenExpiresLikeAnUnknownOne) {
  const std::string known = Sign(7);
  ASSERT_TRUE(cache_.Verify(known, kBefore));
  for (const std::string& token : {known, Sign(8)}) {
    const auto verified = cache_.Verify(token, kAfter);
    ASSERT_FALSE(verified);
    EXPECT_EQ(verified.error(), "Signature has expired");
  }
  EXPECT_EQ(cache_.size(), 0U);
}

TEST_F(TokenCacheTest, ATimeFarAwayIsNoTimeThatHasPassed) {
  const std::string token = Sign(7, std::numeric_limits<std::int64_t>::max());
  EXPECT_TRUE(cache_.Verify(token, kBefore));
  EXPECT_TRUE(cache_.Verify(token, kBefore));
}

TEST_F(TokenCacheTest, RemembersNothingThatIsRefused) {
  const std::string token = Sign(7);
  ASSERT_TRUE(cache_.Verify(token, kBefore));
  std::string forged = token;
  forged[forged.size() - 3] = forged[forged.size() - 3] == 'A' ? 'B' : 'A';
  const TokenCodec other({Secret(std::string(32, 'o'))});
  const std::string stranger = other.Sign({.id = 7, .exp = kExp, .version = 3});
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(cache_.Verify(forged, kBefore).error(), "Signature verification failed");
    EXPECT_EQ(cache_.Verify(stranger, kBefore).error(), "Signature verification failed");
    EXPECT_EQ(cache_.Verify("", kBefore).error(), "Not enough segments");
    EXPECT_EQ(cache_.Verify(token + ".", kBefore).has_value(), false);
    EXPECT_EQ(cache_.Verify(std::string(100'000, 'x'), kBefore).error(), "Token is too long");
  }
  EXPECT_EQ(cache_.size(), 1U);
}

TEST_F(TokenCacheTest, ForgetsTheLeastRecentlyUsed) {
  for (int id = 0; id < 4; ++id) ASSERT_TRUE(cache_.Verify(Sign(id), kBefore));
  ASSERT_TRUE(cache_.Verify(Sign(0), kBefore));
  for (int id = 10; id < 1000; ++id) {
    EXPECT_EQ(cache_.Verify(Sign(id), kBefore).value_or(VerifiedToken{}).user_id, id);
    EXPECT_EQ(cache_.Verify(Sign(0), kBefore).value_or(VerifiedToken{}).user_id, 0);
    EXPECT_EQ(cache_.size(), 4U);
  }
}

}  // namespace
}  // namespace customers
